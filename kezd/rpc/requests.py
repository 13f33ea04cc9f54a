"""From the bytes of one message to JSON-RPC calls: strict JSON, bounded, never raising past here.

Not dispatch: nothing here knows a method. Invariants: depth is counted before anything is
parsed; an object with two members of one name is refused wherever it stands (parsers
disagree about which one counts); what cannot be understood becomes a `Malformed` with the
standard's code, never an exception.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

NESTING = 64
"""Deepest nesting of arrays and objects in a message."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600

_decode = msgspec.json.Decoder().decode
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string, also one without end, so that each byte is looked at once whatever comes."""
_MEMBERS = frozenset({"jsonrpc", "method", "params", "id"})


class NoId:
    """Stands for the id of a notification: there is none, not even null."""


NO_ID = NoId()
CallId = str | int | float | None | NoId


@dataclass(slots=True)
class Call:
    """One request, or a notification when `id` is `NO_ID`. `params` are still unchecked."""

    method: str
    params: dict[str, Any]
    id: CallId


@dataclass(frozen=True, slots=True)
class Malformed:
    """What could not be read as a call. `code` is the standard's."""

    code: int
    message: str
    id: str | int | float | None = None


Parsed = Call | Malformed


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """The usual shape: what fits is a call; what does not is read again, slowly, to say why."""

    jsonrpc: Literal["2.0"]
    method: str
    params: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    id: str | int | float | msgspec.UnsetType | None = msgspec.UNSET


_decode_request = msgspec.json.Decoder(_Request).decode


def parse_message(message: bytes, batch_limit: int) -> Parsed | list[Parsed]:
    """Read one message: a call, or a list of them for a batch (never empty)."""
    try:
        call = _usual(message)
        if call is not None:
            return call
        value = _strict(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return Malformed(PARSE_ERROR, f"not JSON: {error}")
    if not isinstance(value, list):
        return _call(value)
    if not value:
        return Malformed(INVALID_REQUEST, "an empty batch")
    if len(value) > batch_limit:
        return Malformed(INVALID_REQUEST, f"a batch of {len(value)}; {batch_limit} are allowed")
    return [_call(member) for member in value]


def _usual(message: bytes) -> Call | None:
    """A call in one decoding, or None when anything at all is unusual about it."""
    if message.count(b"{") + message.count(b"[") > NESTING:
        return None
    try:
        request = _decode_request(message)
    except msgspec.ValidationError:
        return None
    params: dict[str, Any] = {}
    call_id: CallId = NO_ID
    members = 2
    if not isinstance(request.params, msgspec.UnsetType):
        params = request.params
        members += 1 + _members(params)
    if not isinstance(request.id, msgspec.UnsetType):
        call_id = request.id
        members += 1
    if message.count(b":") != members and _colons(message) != members:
        return None
    return Call(request.method, params, call_id)


def _strict(message: bytes) -> Any:
    if message.count(b"{") + message.count(b"[") > NESTING and _depth(message) > NESTING:
        raise ValueError(f"nested deeper than {NESTING}")
    value = _decode(message)
    # Each member has one colon, strings may have more: equal counts prove that no name came twice.
    if message.count(b":") != (members := _members(value)) and _colons(message) != members:
        raise ValueError("a member's name comes twice in one object")
    return value


def _colons(message: bytes) -> int:
    return _STRINGS.sub(b"", message).count(b":")


def _depth(message: bytes) -> int:
    deepest = depth = 0
    for byte in _STRINGS.sub(b"", message):
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _members(value: Any) -> int:
    """How many members all objects inside have together."""
    if isinstance(value, dict):
        count = len(value)
        for member in value.values():
            if type(member) is dict or type(member) is list:
                count += _members(member)
        return count
    if isinstance(value, list):
        return sum(map(_members, value))
    return 0


def _call(value: Any) -> Parsed:
    if not isinstance(value, dict):
        return Malformed(INVALID_REQUEST, "a request is an object")
    call_id = value.get("id", NO_ID)
    if isinstance(call_id, bool | dict | list):
        return Malformed(INVALID_REQUEST, "`id` is a string, a number or null")
    known = None if call_id is NO_ID else call_id
    if value.get("jsonrpc") != "2.0":
        return Malformed(INVALID_REQUEST, '`jsonrpc` must be "2.0"', known)
    method = value.get("method")
    if not isinstance(method, str):
        return Malformed(INVALID_REQUEST, "`method` must be a string", known)
    params = value.get("params")
    if params is None and "params" not in value:
        params = {}
    if not isinstance(params, dict):
        return Malformed(INVALID_REQUEST, "`params` must be an object: parameters have names", known)
    if len(value) > len(_MEMBERS) or not value.keys() <= _MEMBERS:
        return Malformed(INVALID_REQUEST, "a request has jsonrpc, method, params and id only", known)
    return Call(method, params, call_id)

"""JSON as KEZ signs it: RFC 8785 bytes out, strictly checked values in.

Not here: what the members mean. Invariants: only objects, arrays, strings, booleans, null and integers with
|n| <= 2**53-1; no duplicate keys, no lone surrogates, depth at most 32; equal values give equal bytes.
Where keys are ASCII, msgspec's sorted encoder gives the bytes of RFC 8785; where they are not, it encodes what
was sorted by UTF-16 here. The package `rfc8785` takes fifty times as long, which a stranger could choose; a
property test keeps it beside this one as the oracle.
"""

import json
import re
from typing import Any, Final, NoReturn

import msgspec

from kezd.kez.errors import CanonicalError

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 32
MAX_INT: Final = 2**53 - 1

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_ENCODER_AS_IS: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder()
# The closing quote is optional and nothing is given back, so that hostile text costs one pass.
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_TO_ROUND: Final = bytes.maketrans(b"[]{}", b"()()")


def _check(value: object, depth: int) -> bool:
    """Refuse what KEZ does not sign; tell whether every key is ASCII."""
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        if not -MAX_INT <= value <= MAX_INT:
            raise CanonicalError("an integer is beyond 2^53-1")
        return True
    if depth == 0:
        raise CanonicalError("the nesting is too deep")
    if isinstance(value, dict):
        return _check_object(value, depth)
    if isinstance(value, list | tuple):
        return _check_array(value, depth)
    raise CanonicalError(f"JSON as KEZ signs it has no {type(value).__name__}")


def _check_array(value: list[Any] | tuple[Any, ...], depth: int) -> bool:
    ascii_keys = True
    for item in value:
        if not _check(item, depth - 1):
            ascii_keys = False
    return ascii_keys


def _check_object(value: dict[Any, Any], depth: int) -> bool:
    ascii_keys = True
    for key, item in value.items():
        if not isinstance(key, str):
            raise CanonicalError("a member's name is not a string")
        # The common leaf is settled here: a call for every string would double the cost.
        if type(item) is not str and not _check(item, depth - 1):
            ascii_keys = False
        if not key.isascii():
            ascii_keys = False
    return ascii_keys


def canonicalize(value: object, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Encode a value by RFC 8785 (JCS).

    Args:
        value: dicts with string keys, lists, strings, integers, booleans, None.
        max_depth: levels of nesting allowed.

    Raises:
        CanonicalError: floats, integers beyond 2^53-1, lone surrogates, other types, too deep.
    """
    try:
        if _check(value, max_depth):
            return _ENCODER.encode(value)
        return _ENCODER_AS_IS.encode(_in_order(value))
    except (UnicodeError, TypeError) as error:
        raise CanonicalError("a string holds what JSON cannot carry") from error


def _in_order(value: Any) -> Any:
    """The value with its members in the order of their names in UTF-16 (RFC 8785, section 3.2.3)."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=_utf16)}
    if isinstance(value, list | tuple):
        return [_in_order(item) for item in value]
    return value


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")


def _check_depth(data: bytes, max_depth: int) -> None:
    """Count before anything is built, and in C: each round takes away the innermost level."""
    if data.count(b"{") + data.count(b"[") <= max_depth:
        return
    brackets = _STRING.sub(b"", data).translate(_TO_ROUND, _NOT_BRACKETS)
    for _ in range(max_depth):
        shorter = brackets.replace(b"()", b"")
        if shorter == brackets:
            break
        brackets = shorter
    if b"()" in brackets or brackets.count(b"(") > max_depth:
        raise CanonicalError("the nesting is too deep")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise CanonicalError("a member is named twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 17:
        raise CanonicalError("an integer is beyond 2^53-1")
    return int(digits)


def _refuse_number(_: str) -> NoReturn:
    raise CanonicalError("numbers are integers, without fraction or exponent")


def _parse_slowly(data: bytes, max_depth: int) -> Any:
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except ValueError as error:
        raise CanonicalError("that is not JSON in UTF-8") from error
    canonicalize(value, max_depth=max_depth)
    return value


def parse_json(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Parse JSON, refusing whatever two implementations could read in two ways.

    Args:
        data: the text in UTF-8; spaces and any order of members are allowed.
        max_bytes: most bytes taken.
        max_depth: levels of nesting allowed, counted before anything is built.

    Raises:
        CanonicalError: too long, too deep, not JSON, duplicate keys, fractions, exponents, NaN, lone
            surrogates, integers beyond 2^53-1.
    """
    if len(data) > max_bytes:
        raise CanonicalError(f"more than {max_bytes} bytes of JSON")
    _check_depth(data, max_depth)
    try:
        value = _DECODER.decode(data)
    except (msgspec.DecodeError, ValueError):
        return _parse_slowly(data, max_depth)
    # What encodes to the very bytes it came from has no duplicate keys and nothing else to hide.
    if _encodes_to(value, data, max_depth):
        return value
    return _parse_slowly(data, max_depth)


def _encodes_to(value: object, data: bytes, max_depth: int) -> bool:
    try:
        return canonicalize(value, max_depth=max_depth) == data
    except CanonicalError:
        return False

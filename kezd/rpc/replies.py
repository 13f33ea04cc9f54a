"""Answers and notifications as bytes, and the one place where errors become JSON-RPC errors.

The error object: `code` is the family's, `data.slug` the stable contract, with
`retryable`, `retry_after_ms` and `hint`. What no row of the table knows is a bug: the
caller gets an incident id, the log the traceback.
"""

import logging
import secrets
from typing import Any

import msgspec
from jsonrpcserver.exceptions import JsonRpcError

from kezd.errors import InternalError, KezdError, Slug
from kezd.rpc.requests import Malformed

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


class _Success(msgspec.Struct):
    result: Any
    id: str | int | float | None
    jsonrpc: str = "2.0"


class _ErrorObject(msgspec.Struct):
    code: int
    message: str
    data: dict[str, Any]


class _Failure(msgspec.Struct):
    error: _ErrorObject
    id: str | int | float | None
    jsonrpc: str = "2.0"


class _Notification(msgspec.Struct):
    method: str
    params: Any
    jsonrpc: str = "2.0"


def encode_success(result: Any, call_id: str | int | float | None) -> bytes:
    """The answer to a call that worked."""
    return _encode(_Success(result, call_id))


def encode_failure(code: int, message: str, data: dict[str, Any], call_id: str | int | float | None) -> bytes:
    """The answer to a call that failed."""
    return _encode(_Failure(_ErrorObject(code, message, data), call_id))


def encode_error(error: KezdError, call_id: str | int | float | None) -> bytes:
    """The answer to a call that failed with an error of the table."""
    return encode_failure(error.family.value, error.message, error_data(error), call_id)


def encode_malformed(malformed: Malformed) -> bytes:
    """The answer to what was no call: the standard's code, our slug."""
    data = {"slug": Slug.INVALID_ARGUMENT.value, "retryable": False, "hint": ""}
    return encode_failure(malformed.code, malformed.message, data, malformed.id)


def encode_notification(method: str, params: dict[str, Any]) -> bytes:
    """A message that wants no answer."""
    return _encode(_Notification(method, params))


def encode_notice(method: str, params: msgspec.Struct) -> bytes:
    """The same for a typed body."""
    return _encode(_Notification(method, params))


def event_head(method: str, subscription: str, epoch: str) -> bytes:
    """The part of an event's notification that all events of a subscription have in common."""
    return b'{"jsonrpc":"2.0","method":%b,"params":{"subscription":%b,"epoch":%b,"seq":' % (
        _encode(method),
        _encode(subscription),
        _encode(epoch),
    )


def encode_event(head: bytes, seq: int, topic: str, encoded: bytes, body: dict[str, Any]) -> bytes:
    """An event's notification; `encoded` is the body as JSON, or empty when nobody has encoded it."""
    return b'%b%d,"topic":%b,"event":%b}}' % (head, seq, _encode(topic), encoded or _encode(body))


def error_data(error: KezdError) -> dict[str, Any]:
    """The `data` member: detail first, so that nothing in it can hide the contract's members."""
    data = {
        **error.detail,
        "slug": error.slug.value,
        "retryable": error.retryable,
        "hint": error.hint,
    }
    if error.retry_after_ms is not None:
        data["retry_after_ms"] = error.retry_after_ms
    return data


def as_rpc_error(error: KezdError) -> JsonRpcError:
    """The exception that makes jsonrpcserver answer with this error, without logging it."""
    return JsonRpcError(error.family.value, error.message, error_data(error))


def report_bug(error: BaseException, method: str) -> InternalError:
    """Log a bug with its traceback under a new incident id, and give the error that names the id."""
    incident = secrets.token_hex(4)
    log.error("a call failed by a bug", extra={"incident": incident, "method": method}, exc_info=error)
    return InternalError(Slug.INTERNAL, f"a bug in kezd (incident {incident})", detail={"incident": incident})

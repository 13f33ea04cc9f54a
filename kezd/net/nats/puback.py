"""JetStream's answer to a publish, turned into the port's result.

The error numbers are nats-server's; which text comes with which limit was found by running
2.15 into each of them (one number, 10077, stands for every limit of a stream, and only its
text tells a full inbox from a full home).
"""

from enum import IntEnum

import msgspec

from kezd.runtime.transport import (
    Accepted,
    RefusalReason,
    Refused,
    SendResult,
    TransportUnavailableError,
)


class _Code(IntEnum):
    INSUFFICIENT_RESOURCES = 10023
    STORAGE_EXCEEDED = 10047
    MESSAGE_TOO_LARGE = 10054
    STORE_FAILED = 10077


class _Error(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct, frozen=True):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_decoder = msgspec.json.Decoder(_Ack)


def decode_puback(data: bytes, *, first_attempt: bool) -> SendResult:
    """The fate of one publish.

    Raises:
        TransportUnavailableError: an error that may pass, or not an acknowledgement.
    """
    try:
        ack = _decoder.decode(data)
    # msgspec lets bad UTF-8 (ValueError) and deep nesting out under their own names
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TransportUnavailableError("not a publish acknowledgement") from error
    if ack.error is not None:
        return Refused(_refusal(ack.error))
    if not ack.stream or ack.seq < 1:
        raise TransportUnavailableError("not a publish acknowledgement")
    if ack.duplicate and first_attempt:
        return Refused(RefusalReason.DUPLICATE_ID)
    return Accepted(duplicate=ack.duplicate)


def _refusal(error: _Error) -> RefusalReason:
    match error.err_code:
        case _Code.STORE_FAILED if "per subject" in error.description:
            return RefusalReason.INBOX_FULL
        case _Code.STORE_FAILED if error.description.startswith("maximum "):
            return RefusalReason.HOME_FULL
        case _Code.INSUFFICIENT_RESOURCES | _Code.STORAGE_EXCEEDED:
            return RefusalReason.HOME_FULL
        case _Code.MESSAGE_TOO_LARGE:
            return RefusalReason.TOO_LARGE
        case _:
            raise TransportUnavailableError(f"{error.err_code}: {error.description}")

"""The session answer of a home (`kez.rpc.<me>.session`): tags, generation, consumer.

Decoding and the arithmetic of tags; asking is the connection's. Home's clock decides which
tag is today's; it is carried forward by this machine's monotonic clock, so a jump of the wall
clock changes nothing.
"""

import json

import msgspec

from kezd.net.nats.errors import HomeRefusedError, SupersededError
from kezd.runtime.transport import TransportUnavailableError

MAX_REPLY = 16 * 1024
"""Bytes of a session answer."""


class Tag(msgspec.Struct, frozen=True):
    """A sender tag and its hours, unix seconds of the home's clock."""

    tag: str
    from_: float = msgspec.field(name="from")
    until: float


class Sending(msgspec.Struct, frozen=True):
    """Whether this identity may send now."""

    allowed: bool = True
    reason: str | None = None


class Session(msgspec.Struct, frozen=True):
    """What the home says about this connection's identity or guest."""

    kind: str
    tags: tuple[Tag, ...]
    now: float
    jwt_expires_in: float
    generation: int = 0
    consumer: str = ""
    inbox: str = ""
    device: str = "0"
    sending: Sending = Sending()

    def tag_at(self, home_now: float) -> str | None:
        """The tag whose hours `home_now` falls in."""
        for tag in self.tags:
            if tag.from_ <= home_now < tag.until:
                return tag.tag
        return None


class _Answer(msgspec.Struct, frozen=True):
    error: str | None = None
    message: str = ""


def encode_session_request(installation_id: str, *, takeover: bool) -> bytes:
    """The request's body."""
    return json.dumps({"v": 1, "installation_id": installation_id, "takeover": takeover}).encode()


def decode_session(data: bytes) -> Session:
    """The answer.

    Raises:
        SupersededError: another installation is current.
        HomeRefusedError: the home knows the key no more.
        TransportUnavailableError: any other error, or not an answer at all.
    """
    if len(data) > MAX_REPLY:
        raise TransportUnavailableError("session answer too long")
    try:
        answer = msgspec.json.decode(data, type=_Answer)
        if answer.error is None:
            return msgspec.json.decode(data, type=Session)
    # msgspec lets bad UTF-8 (ValueError) and deep nesting out under their own names
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TransportUnavailableError(f"not a session answer: {error}") from error
    match answer.error:
        case "superseded":
            raise SupersededError(answer.message)
        case "not_registered":
            raise HomeRefusedError(answer.message)
        case slug:
            raise TransportUnavailableError(f"session refused: {slug}")

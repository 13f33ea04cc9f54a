"""Values of the message transport port: what a pipe for sealed envelopes takes and gives.

The port itself, `MessageTransport`, is a Protocol in `kezd.services.ports`; the pipes are
in `kezd.net`. Both import these values. No word of any particular pipe appears here, and
nothing here opens or reads an envelope.
"""

import re
from dataclasses import dataclass
from enum import Enum

_INBOX = re.compile(r"kez\.inbox\.[0-9a-f]{64}")
_DEVICE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class TransportUnavailableError(Exception):
    """Nothing is known about the message's fate: send the same bytes again later."""


class LinkState(Enum):
    """What a link is doing."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    ONLINE = "online"
    REFUSED = "refused"
    """The other side said no; it is asked again only seldom, or after a change."""
    SUPERSEDED = "superseded"
    """Another installation of this device took over; nothing is received here any more."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A link at one moment. Times are unix seconds."""

    state: LinkState
    since: float
    last_received_at: float | None = None
    last_error: str | None = None
    queue_length: int = 0
    """Messages handed to `send` whose fate is not known yet."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a recipient's device gets its messages, as its sigchain says.

    Attributes:
        url: one or several broker addresses, separated by commas.
        inbox: `kez.inbox.<64 hex primary>`.
        device: the device's name within the identity, "0" for the first.

    Raises:
        ValueError: inbox or device do not have that shape (they come from a stranger's chain).
    """

    url: str
    inbox: str
    device: str = "0"

    def __post_init__(self) -> None:
        if not _INBOX.fullmatch(self.inbox):
            raise ValueError("inbox must be kez.inbox.<64 lower-case hex>")
        if not _DEVICE.fullmatch(self.device):
            raise ValueError("device must be 1 to 64 of A-Z a-z 0-9 _ -")


class RefusalReason(Enum):
    """Why a message was not taken; repeating it at once does not help."""

    INBOX_FULL = "inbox_full"
    HOME_FULL = "home_full"
    TOO_LARGE = "too_large"
    FOREIGN_HOME = "foreign_home"
    QUOTA = "quota"
    DUPLICATE_ID = "duplicate_id"
    """The dedupe key was known before the first attempt: somebody else used it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The pipe has it durably; `duplicate` when an earlier attempt had arrived already."""

    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The pipe will not take it."""

    reason: RefusalReason


SendResult = Accepted | Refused


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a pipe can do.

    Attributes:
        max_bytes: largest message.
        durable_ack: an accepted message survives a crash of the pipe.
        per_message_ack: `ack` is per message; else it covers everything before, too.
        rate: messages a second that the pipe wants at most, None when it does not care.
    """

    max_bytes: int
    durable_ack: bool
    per_message_ack: bool
    rate: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One received message; it comes again until `ack`.

    Attributes:
        data: the sealed envelope's bytes, unchecked.
        received_at: unix seconds of this machine.
        token: the pipe's own mark for `ack`.
    """

    data: bytes
    received_at: float
    token: str

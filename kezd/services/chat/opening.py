"""Opening what came in: bytes to verified content, or the reason why not. CPU only.

Not here: stores, contacts, and whether the sender is welcome. Invariant: no bytes of a
stranger make it raise; what one envelope does never touches the others of its batch.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kezd.kez.bodies import Kind, Receipt, parse_kind, parse_receipt, parse_text
from kezd.kez.errors import KezError, NeedsNewerVersionError
from kezd.kez.heads import SeenHead, parse_heads
from kezd.kez.keys import PublicKey
from kezd.kez.sealed import MAX_ENVELOPE, open_sealed
from kezd.kez.sender_tag import message_id
from kezd.kez.signing import Signer
from kezd.kez.timestamps import parse_timestamp
from kezd.runtime.transport import Delivery

log = logging.getLogger(__name__)

OVERSIZED = "oversized"
BUG_VERSION = 0
"""Version under which an envelope is kept that our own code failed on."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message to be shown; `text` is None and `body` JSON when this version cannot show its kind."""

    sender: PublicKey
    id: bytes
    stream: bytes
    n: int
    sent_at: int
    kind: str
    text: str | None
    body: str | None
    received_at: float
    heads: tuple[SeenHead, ...] = ()
    sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Receipted:
    """A receipt."""

    sender: PublicKey
    receipt: Receipt
    received_at: float = 0.0
    heads: tuple[SeenHead, ...] = ()
    sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Newer:
    """An envelope of an unknown version."""

    id: str
    version: int
    sealed: bytes
    received_at: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """Not to be kept; `cause` is a stable slug."""

    cause: str


Arrival = Text | Receipted | Newer | Dropped


def open_batch(signers: Sequence[Signer], deliveries: Sequence[Delivery]) -> list[Arrival]:
    """Open each, in order; about 0.1 ms of CPU an envelope."""
    return [_contained(signers, delivery) for delivery in deliveries]


def _contained(signers: Sequence[Signer], delivery: Delivery) -> Arrival:
    data = delivery.data
    if len(data) > MAX_ENVELOPE:
        return Dropped(OVERSIZED)
    try:
        return _open(signers, delivery)
    except NeedsNewerVersionError as error:
        return Newer(message_id(data), error.version, data, delivery.received_at)
    except KezError as error:
        return Dropped(error.slug)
    except Exception:
        # A stranger's envelope must not stop the peer at every start; kept, it can be looked at.
        log.exception("an envelope broke the code that opens it", extra={"envelope": message_id(data)})
        return Newer(message_id(data), BUG_VERSION, data, delivery.received_at)


def _open(signers: Sequence[Signer], delivery: Delivery) -> Arrival:
    opened = open_sealed(signers, delivery.data)
    body = opened.body
    content: dict[str, Any] = body["body"]
    kind = parse_kind(body["kind"])
    if kind is Kind.RECEIPT:
        receipt = parse_receipt(content)
        return Receipted(opened.sender, receipt, delivery.received_at, parse_heads(content), delivery.data)
    shown = kind is Kind.TEXT
    return Text(
        opened.sender,
        bytes.fromhex(body["id"]),
        bytes.fromhex(body["stream"]),
        body["n"],
        parse_timestamp(body["sent_at"]),
        body["kind"],
        parse_text(content) if shown else None,
        None if shown else msgspec.json.encode(content).decode(),
        delivery.received_at,
        parse_heads(content),
        delivery.data,
    )

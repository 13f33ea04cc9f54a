"""Sender tags and NATS subjects of inboxes, and the id a broker deduplicates by.

Not here: making and keeping the day's key (the home server does), and connecting. Source: docs/protocol/nats.md.
Invariant: every subject is made of tokens that cannot hold a dot, a wildcard or a space.
"""

import hashlib
import hmac
import re
from typing import Final

from kezd.kez.errors import IdentifierError, KeyMaterialError, shown
from kezd.kez.keys import KEY_SIZE, PublicKey

TAG_BYTES: Final = 8
TAG_PREFIX: Final = b"kez-tag/1"
FIRST_DEVICE: Final = "0"

_TAG: Final = re.compile(r"[0-9a-f]{16}")
_DEVICE: Final = re.compile(r"[a-z0-9]{1,32}")


def parse_device(text: object) -> str:
    """Read the name of a device: 1 to 32 of `a-z 0-9`; the first device is `0`.

    Raises:
        IdentifierError: anything else.
    """
    if not isinstance(text, str) or not _DEVICE.fullmatch(text):
        raise IdentifierError(f"a device is named by 1 to 32 of a-z 0-9, not {shown(text)}")
    return text


def sender_tag(day_key: bytes, public: PublicKey) -> str:
    """Return the tag, 16 hex digits, that stands for a sender on one day.

    Args:
        day_key: the home's 32 random bytes of that UTC day.
        public: the sender's key.

    Raises:
        KeyMaterialError: the day key is not 32 bytes.
    """
    if len(day_key) != KEY_SIZE:
        raise KeyMaterialError(f"a day key is {KEY_SIZE} bytes")
    return hmac.digest(day_key, TAG_PREFIX + public.raw, "sha256")[:TAG_BYTES].hex()


def inbox_prefix(primary: PublicKey) -> str:
    """Return `kez.inbox.<hex primary>`."""
    return f"kez.inbox.{primary.hex}"


def inbox_subject(primary: PublicKey, device: str, tag: str) -> str:
    """Return the NATS subject of a recipient's device for one sender's tag.

    Raises:
        IdentifierError: a bad device name or tag.
    """
    if not _TAG.fullmatch(tag):
        raise IdentifierError(f"a sender tag is 16 hex digits, not {shown(tag)}")
    return f"{inbox_prefix(primary)}.{parse_device(device)}.{tag}"


def message_id(sealed: bytes) -> str:
    """Return the `Nats-Msg-Id` of a sealed envelope: first 32 hex digits of its SHA-256."""
    return hashlib.sha256(sealed).hexdigest()[:32]

"""What is inside a sealed message, kind by kind.

Not here: sealing, storing, and deciding what a kind does. Invariants: content is capped here as it is read; a
kind that is not known is no error, it is kept and shown as "needs a newer version".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from kezd.kez.errors import BodyError, shown

MAX_TEXT: Final = 32 * 1024  # bytes of a text in UTF-8
MAX_IDS: Final = 256  # message ids in one receipt

_ID: Final = re.compile(r"[0-9a-f]{32}")


class Kind(StrEnum):
    """The kinds of message that KEZ names."""

    TEXT = "text"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    RECEIPT = "receipt"
    TYPING = "typing"
    FILE = "kez-file-v1"
    FILE_CHUNK = "kez-file-chunk-v1"
    FILE_SHARE = "file_share"


_KINDS: Final = MappingProxyType({kind.value: kind for kind in Kind})


class ReceiptState(StrEnum):
    """What a receipt says about its messages."""

    DELIVERED = "delivered"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt for some messages, named by their ids (32 hex digits each)."""

    state: ReceiptState
    ids: tuple[str, ...]


def parse_kind(text: str) -> Kind | None:
    """Return the kind of that name, None for one of a newer version."""
    return _KINDS.get(text)


def _checked_text(text: object) -> str:
    if not isinstance(text, str) or not text:
        raise BodyError("a text message holds some text")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise BodyError("the text holds half a character") from error
    if size > MAX_TEXT:
        raise BodyError(f"a text message has at most {MAX_TEXT} bytes")
    return text


def _checked_ids(ids: Iterable[object]) -> tuple[str, ...]:
    known: dict[str, None] = {}
    for one in ids:
        if not isinstance(one, str) or not _ID.fullmatch(one):
            raise BodyError("a receipt names messages by ids of 32 hex digits")
        known[one] = None
    if not 0 < len(known) <= MAX_IDS:
        raise BodyError(f"a receipt names from 1 to {MAX_IDS} messages")
    return tuple(known)


def text_body(text: str) -> dict[str, Any]:
    """Return the body of kind `text`, at most 32 KiB in UTF-8.

    Raises:
        BodyError: empty or too long.
    """
    return {"text": _checked_text(text)}


def parse_text(body: Mapping[str, Any]) -> str:
    """Read the body of kind `text`.

    Raises:
        BodyError: no text, empty, or more than 32 KiB.
    """
    return _checked_text(body.get("text"))


def receipt_body(state: str, ids: Iterable[str]) -> dict[str, Any]:
    """Return the body of kind `receipt`.

    Args:
        state: `delivered` or `read`.
        ids: 1 to 256 message ids; repeated ones count once.

    Raises:
        BodyError: another state, or bad ids.
    """
    return {"state": _state(state).value, "ids": list(_checked_ids(ids))}


def parse_receipt(body: Mapping[str, Any]) -> Receipt:
    """Read the body of kind `receipt`.

    Raises:
        BodyError: another state, or bad ids.
    """
    ids = body.get("ids")
    if not isinstance(ids, list) or len(ids) > MAX_IDS:
        raise BodyError(f"a receipt names from 1 to {MAX_IDS} messages")
    return Receipt(_state(body.get("state")), _checked_ids(ids))


def _state(text: object) -> ReceiptState:
    if not isinstance(text, str) or text not in list(ReceiptState):
        raise BodyError(f"a receipt says delivered or read, not {shown(text)}")
    return ReceiptState(text)

"""nostr events as NIP-01 has them: id, signature, and what a relay sends, read with care.

Not here: relays. Invariants: an id is the SHA-256 of the one serialisation that NIP-01 names; an event that
`read_event` returns is well formed, has the id that it says, and is signed by its author.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from kezd.kez.errors import CanonicalError, EnvelopeError
from kezd.kez.nostr_keys import NostrKey, verify_digest

MAX_TAGS: Final = 2_000
MAX_TAG_ITEMS: Final = 64
MAX_CONTENT: Final = 256 * 1024  # characters
MAX_TIME: Final = 1 << 40
MAX_KIND: Final = 65_535

Tags = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class NostrEvent:
    """A nostr event.

    Attributes:
        id: 32 bytes.
        author: who signed it.
        created_at: unix seconds, the author's word.
        kind: 0 to 65535.
        tags: lists of strings.
        content: text.
        signature: 64 bytes.
    """

    id: bytes
    author: NostrKey
    created_at: int
    kind: int
    tags: Tags
    content: str
    signature: bytes

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object that a relay takes."""
        return {
            "id": self.id.hex(),
            "pubkey": self.author.raw.hex(),
            "created_at": self.created_at,
            "kind": self.kind,
            "tags": [list(tag) for tag in self.tags],
            "content": self.content,
            "sig": self.signature.hex(),
        }


def event_id(author: NostrKey, created_at: int, kind: int, tags: Tags, content: str) -> bytes:
    """Return the 32-byte id: SHA-256 of `[0,pubkey,created_at,kind,tags,content]` as NIP-01 serialises it.

    Raises:
        CanonicalError: a string holds what UTF-8 cannot carry.
    """
    value = [0, author.raw.hex(), created_at, kind, [list(tag) for tag in tags], content]
    # NIP-01 names seven escapes; for other control characters this writes what JSON.stringify does, as relays do.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return hashlib.sha256(text.encode()).digest()
    except UnicodeEncodeError as error:
        raise CanonicalError("a string holds what UTF-8 cannot carry") from error


def read_event(value: object) -> NostrEvent:
    """Take an event from a parsed JSON value and verify it.

    Args:
        value: what a relay sent, already capped and parsed.

    Raises:
        EnvelopeError: other members or types, too large, or not the id that it says.
        SignatureError: its author has not signed it.
        CanonicalError: a string holds what UTF-8 cannot carry.
    """
    if not isinstance(value, dict):
        raise EnvelopeError("a nostr event is an object")
    author = NostrKey(_hex(value, "pubkey", 32))
    identity, signature = _hex(value, "id", 32), _hex(value, "sig", 64)
    created_at, kind = _count(value, "created_at", MAX_TIME), _count(value, "kind", MAX_KIND)
    content = value.get("content")
    if not isinstance(content, str) or len(content) > MAX_CONTENT:
        raise EnvelopeError("the content of a nostr event is a text of bounded length")
    tags = _tags(value.get("tags"))
    if event_id(author, created_at, kind, tags, content) != identity:
        raise EnvelopeError("the nostr event has another id than it says")
    verify_digest(author, identity, signature)
    return NostrEvent(identity, author, created_at, kind, tags, content, signature)


def _hex(value: dict[str, Any], name: str, size: int) -> bytes:
    text = value.get(name)
    if not isinstance(text, str) or len(text) != 2 * size or not set(text) <= set("0123456789abcdef"):
        raise EnvelopeError(f"the member {name} of a nostr event is {size} bytes in lower-case hex")
    return bytes.fromhex(text)


def _count(value: dict[str, Any], name: str, most: int) -> int:
    number = value.get(name)
    if type(number) is not int or not 0 <= number <= most:
        raise EnvelopeError(f"the member {name} of a nostr event is a number up to {most}")
    return number


def _tags(value: object) -> Tags:
    if not isinstance(value, list) or len(value) > MAX_TAGS:
        raise EnvelopeError(f"a nostr event has at most {MAX_TAGS} tags")
    for tag in value:
        if not isinstance(tag, list) or len(tag) > MAX_TAG_ITEMS or not all(isinstance(x, str) for x in tag):
            raise EnvelopeError("a tag of a nostr event is a short list of strings")
    return tuple(tuple(tag) for tag in value)

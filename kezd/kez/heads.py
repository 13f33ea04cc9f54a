"""Heads of sigchains that somebody has seen, as they travel inside sealed messages.

Source: docs/protocol/sealed-message.md, "Heads". Not here: comparing them with what is known. Invariant: a hint
that is not good is no hint, and never costs the message that carries it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kezd.kez.errors import IdentifierError, KeyMaterialError
from kezd.kez.identifiers import parse_primary
from kezd.kez.jcs import MAX_INT
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Head

MEMBER: Final = "heads"
MAX_HEADS: Final = 4
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SeenHead:
    """The head of one chain, as somebody has seen it.

    Attributes:
        genesis: whose chain.
        head: its last event there.
    """

    genesis: PublicKey
    head: Head


def heads_member(seen: Iterable[SeenHead]) -> dict[str, Any]:
    """Return the member `heads` of a message's content; empty when there are none. At most four are told."""
    told = {one.genesis.primary: [one.head.seq, one.head.hash] for one in list(seen)[:MAX_HEADS]}
    return {MEMBER: told} if told else {}


def parse_heads(content: Mapping[str, Any]) -> tuple[SeenHead, ...]:
    """Read the member `heads`; whatever is not good in it is left out."""
    told = content.get(MEMBER)
    if not isinstance(told, dict) or len(told) > MAX_HEADS:
        return ()
    seen = (_seen(name, value) for name, value in told.items())
    return tuple(one for one in seen if one is not None)


def _seen(name: str, value: object) -> SeenHead | None:
    match value:
        case [int(seq), str(hash_)] if 0 < seq <= MAX_INT and type(seq) is int and _HASH.fullmatch(hash_):
            try:
                return SeenHead(parse_primary(name), Head(seq, hash_))
            except (IdentifierError, KeyMaterialError):
                return None
        case _:
            return None

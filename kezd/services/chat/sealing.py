"""Making sealed envelopes: one place that puts a body together and seals it.

Not here: where they go. Randomness is an argument; it is drawn anew for every envelope,
also when a transaction runs a second time, so an ephemeral key is never used twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kezd.kez.bodies import Kind
from kezd.kez.heads import SeenHead, heads_member
from kezd.kez.keys import KEY_SIZE
from kezd.kez.sealed import VERSION, seal
from kezd.kez.sender_tag import FIRST_DEVICE
from kezd.kez.signing import Signer
from kezd.kez.timestamps import format_timestamp
from kezd.services.ports import Route

ID_SIZE = 16

Entropy = Callable[[int], bytes]
"""Returns so many random bytes; called from the writer's thread too."""


def _unknown() -> SeenHead | None:
    return None


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals in the name of one identity."""

    signer: Signer
    entropy: Entropy
    own_head: Callable[[], SeenHead | None] = _unknown
    """Of our own sigchain, told in each message."""

    def new_id(self) -> bytes:
        """16 random bytes: a message's id, a stream's name."""
        return self.entropy(ID_SIZE)

    def seal(
        self,
        route: Route,
        kind: Kind,
        body: dict[str, Any],
        *,
        id: bytes,
        stream: bytes,
        n: int,
        sent_at: int,
    ) -> bytes:
        """Seal one message for the key that `route` names; `sent_at` is unix seconds."""
        members = {
            "v": VERSION,
            "id": id.hex(),
            "from": self.signer.public.primary,
            "from_device": FIRST_DEVICE,
            "to": route.recipient.primary,
            "stream": stream.hex(),
            "n": n,
            "sent_at": format_timestamp(sent_at),
            "kind": kind.value,
            "body": body | heads_member(self._heads(route)),
        }
        return seal(self.signer, route.recipient, members, self.entropy(KEY_SIZE))

    def _heads(self, route: Route) -> Iterator[SeenHead]:
        own = self.own_head()
        if own is not None:
            yield own
        if route.seen is not None:
            yield SeenHead(route.genesis, route.seen)

    def seal_receipt(self, route: Route, body: dict[str, Any], sent_at: int) -> bytes:
        """Seal a receipt. It stands outside the order: a stream of its own that ends with it."""
        stream = self.new_id()
        return self.seal(route, Kind.RECEIPT, body, id=self.new_id(), stream=stream, n=1, sent_at=sent_at)

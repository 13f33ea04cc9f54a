"""A replaceable event on the configured relays, signed by the person's own nostr key.

Source: NIP-01 (EVENT, OK), NIP-78 (kind 30078, tag `d`), NIP-09 (kind 5, deletion requests). Published when one relay
has accepted it.
"""

import json
import ssl
from collections.abc import Sequence

import trio
from trio_websocket import WebSocketConnection

from kezd.kez.envelope import Envelope
from kezd.kez.identifiers import Identifier
from kezd.kez.nostr_events import NostrEvent
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.proofs import encode_compact
from kezd.net.fetch.nostr import FAILURES, SECONDS, first_failure, open_socket
from kezd.net.fetch.page import FetchError
from kezd.net.publish.publisher import Published, PublishError, check_account

KIND = 30078
DELETION = 5
NAME = "kez"
ANSWERS = 100
SERVICE = "nostr"


class NostrPublisher:
    """One npub.

    Args:
        relays: `wss://` URLs of the person's configuration.
        signer: the account's key.
        tls: what certificates are believed; None for the machine's.
    """

    system = "nostr"

    def __init__(self, relays: Sequence[str], signer: NostrSigner, tls: ssl.SSLContext | None = None) -> None:
        self._relays = relays
        self._signer = signer
        self._tls = tls

    async def publish(self, subject: Identifier, claim: Envelope, now: int) -> Published:
        """See `Publisher`."""
        check_account(self._signer.public.npub, subject, SERVICE)
        event = self._signer.nostr_event(KIND, (("d", NAME),), encode_compact(claim), now)
        await self._send(event)
        return Published(f"nostr:{event.id.hex()}", f"{event.id.hex()}/{now}")

    async def publish_document(self, name: str, content: str, now: int) -> str:
        """Publish application data (NIP-78) under a name; the event's id in hex. Raises as `publish`."""
        event = self._signer.nostr_event(KIND, (("d", name),), content, now)
        await self._send(event)
        return event.id.hex()

    async def remove(self, published: Published) -> None:
        """See `Publisher`; relays may keep it, the revocation in the sigchain is what counts."""
        identity, _, made_at = published.handle.partition("/")
        address = f"{KIND}:{self._signer.public.raw.hex()}:{NAME}"
        event = self._signer.nostr_event(DELETION, (("e", identity), ("a", address)), "", int(made_at) + 1)
        await self._send(event)

    async def _send(self, event: NostrEvent) -> None:
        accepted: list[str] = []
        failures: list[str] = []
        refused: list[str] = []

        async def tell(relay: str) -> None:
            try:
                with trio.fail_after(SECONDS):
                    async with open_socket(relay, self._tls) as socket:
                        await socket.send_message(json.dumps(["EVENT", event.to_value()], ensure_ascii=False))
                        (accepted if await _accepted(socket, event) else refused).append(relay)
            except* FAILURES as group:
                failures.append(f"{relay}: {first_failure(group)}")

        async with trio.open_nursery() as nursery:
            for relay in self._relays:
                nursery.start_soon(tell, relay)
        if accepted:
            return
        if refused:
            raise PublishError(f"no relay takes the event: {', '.join(refused)} refused it")
        raise FetchError(f"no relay answers ({'; '.join(failures) or 'none is configured'})")


async def _accepted(socket: WebSocketConnection, event: NostrEvent) -> bool:
    for _ in range(ANSWERS):
        try:
            message = json.loads(await socket.get_message())
        except (ValueError, RecursionError) as error:
            raise FetchError("the relay does not send JSON") from error
        match message:
            case ["OK", str(identity), bool(taken), *_] if identity == event.id.hex():
                return taken
            case _:
                continue
    raise FetchError("the relay does not say whether it took the event")

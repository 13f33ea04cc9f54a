"""The one probe of `check` that needs a stranger: does a login reach the callout, and whose is it?

Listens beside the queue group of a running home (a plain subscription gets a copy), never
answers, and connects once with a key made up for the occasion.
"""

import asyncio
import base64
import secrets

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from kezd.home.auth_callout import AUTH_SUBJECT
from kezd.home.nats_jwt import JwtError, decode_jwt
from kezd.home.nats_keys import SEED_BYTES, NatsKey
from kezd.home.nats_link import NatsLink, NkeyClient, Subscription
from kezd.kez.nkeys import Prefix

PROBE_SECONDS = 5.0


async def issuer_seen_by_callout(urls: tuple[str, ...], callout: NatsKey) -> str | None:
    """The issuer that the server names in its question, None when no question came."""
    stranger = NatsKey(Prefix.USER, secrets.token_bytes(SEED_BYTES))
    seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def on_question(message: Msg) -> None:
        try:
            claims = decode_jwt(message.data, Prefix.SERVER)
        except JwtError:
            return
        options = (claims.get("nats") or {}).get("connect_opts") or {}
        if options.get("nkey") == stranger.public and not seen.done():
            seen.set_result(str(claims.get("sub")))

    listen = Subscription(AUTH_SUBJECT, "", on_question)
    async with NatsLink.open("check callout", urls, callout, [listen], patient=False):
        knocking = asyncio.create_task(_knock(urls, stranger))
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await seen
        except TimeoutError:
            return None
        finally:
            knocking.cancel()
            await asyncio.gather(knocking, return_exceptions=True)


async def _knock(urls: tuple[str, ...], stranger: NatsKey) -> None:
    client: Client = NkeyClient(stranger.public)

    async def on_error(_: Exception) -> None:
        """Being refused is what is expected."""

    try:
        await client.connect(
            list(urls), connect_timeout=int(PROBE_SECONDS), allow_reconnect=False, error_cb=on_error,
            signature_cb=lambda nonce: base64.b64encode(stranger.sign(nonce.encode())),
        )  # fmt: skip
    except (nats.errors.Error, OSError, TimeoutError):
        return
    await client.close()

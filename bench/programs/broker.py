"""A plain nats-py connection with a fixed nkey, for the baselines on home's own nats-server."""

import base64

from nats.aio.client import Client

from kezd.home.nats_keys import NatsKey
from kezd.home.nats_link import NkeyClient


async def connect(url: str, key: NatsKey) -> Client:
    """Connected as one of home's own keys."""
    client = NkeyClient(key.public)
    await client.connect(
        servers=[url],
        signature_cb=lambda nonce: base64.b64encode(key.sign(nonce.encode())),
        allow_reconnect=False,
        connect_timeout=10,
    )
    return client

"""A public post on the person's own Mastodon server, by a token that may read accounts and write posts.

Source: Mastodon's API: `GET /api/v1/accounts/verify_credentials`, `POST` and `DELETE /api/v1/statuses`. Servers that
speak the same API (Pleroma, GoToSocial, …) are used alike.
"""

from kezd.kez.envelope import Envelope
from kezd.kez.identifiers import Identifier
from kezd.kez.proofs import encode_compact
from kezd.net.fetch.channel import parse_object
from kezd.net.fetch.page import Fetcher
from kezd.net.publish.publisher import Published, check, check_account, text_of

SERVICE = "the Mastodon server"


class MastodonPublisher:
    """One Mastodon account.

    Args:
        fetcher: asks.
        token: an access token with `read:accounts` and `write:statuses`.
        host: of the account's server.
        base: URL of a host, for a test or a server of one's own.
    """

    system = "ap"

    def __init__(self, fetcher: Fetcher, token: str, host: str, base: str = "https://{host}") -> None:
        self._fetcher = fetcher
        self._host = host
        self._api = f"{base.format(host=host)}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def publish(self, subject: Identifier, claim: Envelope, now: int) -> Published:
        """See `Publisher`."""
        me = await self._fetcher.get(
            f"{self._api}/accounts/verify_credentials", accept="application/json", headers=self._headers
        )
        check(me, 200, service=SERVICE)
        name = text_of(parse_object(me), "username", SERVICE)
        check_account(f"{name}@{self._host}", subject, SERVICE)
        body = {"status": f"My KEZ proof: {encode_compact(claim)}", "visibility": "public"}
        # The same key again within an hour gives the same post, should the answer get lost.
        headers = self._headers | {"Idempotency-Key": f"kez-{claim.sig[:32]}"}
        made = await self._fetcher.send("POST", f"{self._api}/statuses", body, headers=headers)
        check(made, 200, service=SERVICE)
        post = parse_object(made)
        return Published(text_of(post, "url", SERVICE), text_of(post, "id", SERVICE))

    async def remove(self, published: Published) -> None:
        """See `Publisher`."""
        url = f"{self._api}/statuses/{published.handle}"
        check(await self._fetcher.send("DELETE", url, None, headers=self._headers), 200, 404, service=SERVICE)

"""A post on Bluesky whose embedded link carries the proof, by an app password.

Source: the lexicons `com.atproto.server.createSession`, `com.atproto.repo.createRecord` and `deleteRecord`,
`app.bsky.feed.post`, `app.bsky.embed.external`. A post's text is too short for a proof; an embed's description is not.
"""

from kezd.kez.envelope import Envelope
from kezd.kez.identifiers import Identifier
from kezd.kez.proofs import encode_compact
from kezd.kez.timestamps import format_timestamp
from kezd.net.fetch.channel import parse_object
from kezd.net.fetch.page import Fetcher
from kezd.net.publish.publisher import Published, check, check_account, text_of

SERVICE = "Bluesky"
POST = "app.bsky.feed.post"
SEPARATOR = "/"


class BlueskyPublisher:
    """One Bluesky account.

    Args:
        fetcher: asks.
        password: an app password.
        about: the link that readers of the post can follow.
        pds: base URL of the account's server.
    """

    system = "bluesky"

    def __init__(self, fetcher: Fetcher, password: str, about: str, pds: str = "https://bsky.social") -> None:
        self._fetcher = fetcher
        self._password = password
        self._xrpc = f"{pds.rstrip('/')}/xrpc"
        self._about = about

    async def publish(self, subject: Identifier, claim: Envelope, now: int) -> Published:
        """See `Publisher`."""
        did, headers = await self._log_in(subject.value, subject)
        external = {"uri": self._about, "title": "KEZ proof", "description": encode_compact(claim)}
        record = {
            "$type": POST,
            "text": f"I am {claim.key[:40]}… on KEZ; the proof is in this post.",
            "createdAt": format_timestamp(now),
            "embed": {"$type": "app.bsky.embed.external", "external": external},
        }
        body = {"repo": did, "collection": POST, "record": record}
        made = await self._fetcher.send(
            "POST", f"{self._xrpc}/com.atproto.repo.createRecord", body, headers=headers
        )
        check(made, 200, service=SERVICE)
        key = text_of(parse_object(made), "uri", SERVICE).rpartition("/")[2]
        url = f"https://bsky.app/profile/{subject.value}/post/{key}"
        return Published(url, f"{subject.value}{SEPARATOR}{key}")

    async def remove(self, published: Published) -> None:
        """See `Publisher`."""
        account, _, key = published.handle.partition(SEPARATOR)
        did, headers = await self._log_in(account, Identifier(self.system, account))
        body = {"repo": did, "collection": POST, "rkey": key}
        gone = await self._fetcher.send(
            "POST", f"{self._xrpc}/com.atproto.repo.deleteRecord", body, headers=headers
        )
        check(gone, 200, service=SERVICE)

    async def _log_in(self, account: str, subject: Identifier) -> tuple[str, dict[str, str]]:
        body = {"identifier": account, "password": self._password}
        page = await self._fetcher.send("POST", f"{self._xrpc}/com.atproto.server.createSession", body)
        check(page, 200, service=SERVICE)
        session = parse_object(page)
        check_account(text_of(session, "handle", SERVICE), subject, SERVICE)
        token = text_of(session, "accessJwt", SERVICE)
        return text_of(session, "did", SERVICE), {"Authorization": f"Bearer {token}"}

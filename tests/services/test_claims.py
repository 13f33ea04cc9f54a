"""Claims on a real database, a real home, and the real channels over TLS to servers that answer as the services do."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from dnslib import QTYPE, RCODE, RR, TXT, DNSRecord

from kezd.daemon.channels import VaultCredentials, open_channels
from kezd.errors import KezdError, Slug
from kezd.kez.claims import claim_payload
from kezd.kez.nostr_keys import NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.proofs import encode_compact, encode_json, find_proof
from kezd.kez.sigchain import Chain, add, decode_jsonl, event_from_envelope, event_payload, revoke
from kezd.runtime.clock import SystemClock
from kezd.runtime.settings import ChannelsSettings
from kezd.services.claims import Claims, Outside, Profiles, open_claims
from kezd.services.ports import PublishedProof
from kezd.store.claims import Step, load_claim
from kezd.store.follows import list_follows
from kezd.store.sigchains import load_jsonl
from kezd.testing.home_driver import HomeProcess
from kezd.testing.profile_services import CrashError, OpenProfile, ProfileServices
from kezd.testing.small_github import SmallGitHub
from kezd.testing.small_web import Web, open_web

TEST_SECONDS = 60
HOST = "localhost"
TOKEN = "ghp_s3cret"


def silent(_done: int, _total: int | None, _text: str, /) -> None:
    """Nobody wants to know."""


@pytest.fixture
async def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Web]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with open_web(authority, HOST) as web:
        yield web


def settings(web: Web, **more: Any) -> ChannelsSettings:
    base = web.url(HOST, "")
    return ChannelsSettings(
        github_api=base + "/gh",
        github_raw=base + "/raw",
        web_base=base + "/sites/{domain}",
        ap_base=base + "/ap/{host}",
        nostr_relays=("wss://127.0.0.1:9",),
        **more,
    )


class Somebody:
    """A person with claims."""

    def __init__(self, profile: OpenProfile, claims: Claims, graph: Profiles, handle: str) -> None:
        self.profile = profile
        self.claims = claims
        self.graph = graph
        self.handle = handle

    async def step(self, subject: str) -> Step:
        claim = await self.profile.db.read(lambda tx: load_claim(tx, subject))
        assert claim is not None
        return claim.step

    async def operations(self) -> list[str]:
        primary = self.profile.identity.primary
        assert primary is not None
        chain = decode_jsonl(await self.profile.db.read(lambda tx: load_jsonl(tx, primary)), primary)
        return [str(event.envelope.payload["op"]) for event in chain.events]

    async def news(self) -> list[str]:
        rows = await self.profile.db.read(
            lambda tx: tx.all("SELECT body FROM events WHERE topic = 'claim' ORDER BY seq")
        )
        return [json.loads(row[0])["type"] for row in rows]


class Dying:
    """Publishers that die before, or after, the real ones have done it."""

    def __init__(self, inner: Any, where: str) -> None:
        self._inner = inner
        self._where = where
        self.systems = inner.systems

    async def publish(self, *args: Any, **more: Any) -> PublishedProof:
        if self._where == "before":
            raise CrashError
        await self._inner.publish(*args, **more)
        raise CrashError

    async def remove(self, *args: Any) -> None:
        await self._inner.remove(*args)
        raise CrashError


@asynccontextmanager
async def somebody(
    profiles: ProfileServices,
    name: str,
    config: ChannelsSettings,
    wrap: Callable[[Any], Any] = lambda publishers: publishers,
) -> AsyncIterator[Somebody]:
    async with profiles.open(name) as profile:
        identity = profile.identity
        if (await identity.show()).state == "none":
            made = await identity.create(24, None, False)
            await identity.confirm({place: made.words[place - 1] for place in made.ask})
            await identity.register("p" + secrets.token_hex(6), None)
        active = await identity.wait_active()
        async with (
            open_channels(config, "test") as (channels, publishers),
            open_claims(
                profile.db,
                profile.directory,
                Outside(channels, wrap(publishers), VaultCredentials(profile.vault)),
                identity,
                lambda: identity.active,
                profile.clock,
                config,
            ) as (claims, graph),
        ):
            yield Somebody(profile, claims, graph, str(active.handle))


async def slug(call: Any) -> Slug:
    with pytest.raises(KezdError) as caught:
        await call
    return caught.value.slug


async def publish(person: Somebody, subject: str, wait_s: float = 5.0) -> Any:
    return await person.claims.publish(subject, wait_s, silent)


async def test_a_web_site_from_signing_to_revocation(
    profiles: ProfileServices, home: HomeProcess, web: Web
) -> None:
    domain = f"a{secrets.token_hex(4)}.example"
    subject, page = f"web:{domain}", f"/sites/{domain}/.well-known/kez.json"
    with trio.fail_after(TEST_SECONDS):
        async with (
            somebody(profiles, "alice", settings(web)) as alice,
            somebody(profiles, "bob", settings(web)) as bob,
        ):
            assert await slug(publish(alice, subject)) is Slug.NOT_FOUND
            made = await alice.claims.create(subject, None, dry_run=True)
            assert await slug(publish(alice, subject)) is Slug.NOT_FOUND
            made = await alice.claims.create(subject, None, dry_run=False)
            assert await alice.claims.create(subject, None, dry_run=False) == made
            texts = made.encodings
            assert {
                encode_json(find_proof(text))
                for text in (texts.json, texts.compact, texts.markdown, texts.dns)
            } == {made.envelope}

            first = await publish(alice, subject)
            assert (first.done, first.paste, first.claim.step) == (False, made.envelope, "publishing")
            assert first.paste_where == f"https://{domain}/.well-known/kez.json"
            second = await publish(alice, subject, wait_s=0)
            assert (second.done, second.claim.step) == (False, "published")
            assert second.claim.check.status == "not_found"
            web.put(HOST, page, made.encodings.markdown)
            third = await publish(alice, subject)
            assert (third.done, third.left, third.claim.step) == (True, [], "added")
            assert third.claim.check.status == "valid"
            assert await alice.news() == ["verified", "verified"]
            assert (await alice.operations())[-1:] == ["add"]
            again = await publish(alice, subject)
            assert again.done
            assert (await alice.operations()).count("add") == 1

            shown = await bob.graph.show(alice.handle, fresh=False, report=silent)
            [check] = shown.claims
            assert (check.status, check.subject, shown.handle) == ("valid", subject, alice.handle)
            assert check.evidence is not None
            assert check.evidence.where == web.url(HOST, page)
            assert check.evidence.proof == made.encodings.compact
            assert check.last_good_at == check.checked_at
            for what in (subject, f"@{alice.handle}", shown.primary, made.encodings.markdown):
                verified = await bob.graph.verify(what, fresh=True, report=silent)
                assert (verified.status, verified.primary) == ("valid", shown.primary), what
            found = await bob.graph.find(subject, None, report=silent)
            assert [(one.handle, one.check.status) for one in found.items] == [(alice.handle, "valid")]
            assert found.left == []

            removed = await alice.claims.remove(subject, silent)
            assert (removed.claim.step, len(removed.left)) == ("revoked", 1)
            for what in (subject, shown.primary, made.envelope):
                verified = await bob.graph.verify(what, fresh=False, report=silent)
                assert verified.status == "revoked", what
            found = await bob.graph.find(subject, None, report=silent)
            assert [one.check.status for one in found.items] == ["revoked"]
            [item] = (await alice.claims.list()).items
            assert (item.step, item.check.status if item.check else "") == ("revoked", "revoked")

            made = await alice.claims.create(subject, None, dry_run=False)  # and once more
            web.put(HOST, page, made.envelope)
            await publish(alice, subject)
            assert (await publish(alice, subject)).done
            assert (await bob.graph.verify(subject, fresh=True, report=silent)).status == "valid"


async def test_a_gist_is_published_once_and_taken_away(
    profiles: ProfileServices, home: HomeProcess, web: Web
) -> None:
    user = f"u{secrets.token_hex(4)}"
    github, subject = SmallGitHub(web, HOST, user), f"github:{user}"
    with trio.fail_after(TEST_SECONDS):
        async with somebody(profiles, "alice", settings(web)) as alice:
            await alice.claims.create(subject, None, dry_run=False)
            assert await slug(publish(alice, subject)) is Slug.CREDENTIAL_NEEDED
            assert await slug(alice.claims.forget("github", user, dry_run=False)) is Slug.NOT_FOUND
            await alice.claims.authorize("github", f"@{user.upper()}", TOKEN, dry_run=False)
            assert alice.claims.credentials().accounts == [subject]
        with pytest.RaisesGroup(CrashError, flatten_subgroups=True):
            async with somebody(profiles, "alice", settings(web), lambda p: Dying(p, "before")) as alice:
                await publish(alice, subject)
        with pytest.RaisesGroup(CrashError, flatten_subgroups=True):
            async with somebody(profiles, "alice", settings(web), lambda p: Dying(p, "after")) as alice:
                await publish(alice, subject)
        assert len(github.gists) == 1
        async with somebody(profiles, "alice", settings(web)) as alice:
            done = await publish(alice, subject)
            assert (done.done, done.claim.url) == (
                True,
                f"https://gist.github.com/{user}/{next(iter(github.gists))}",
            )
            assert len(github.gists) == 1
            assert TOKEN not in json.dumps(await everything(alice))
            github.down = True
            kept = await alice.graph.verify(subject, fresh=True, report=silent)
            assert (kept.status, kept.claims[0].last_status) == ("unreachable", "valid")
            assert kept.claims[0].last_good_at is not None
            assert (await alice.claims.list()).items[0].check.last_status == "valid"  # type: ignore[union-attr]
            assert (await alice.claims.remove(subject, silent)).left != []
            assert (await alice.operations())[-1] == "revoke"
            github.down = False
            assert await alice.step(subject) is Step.REVOKED


async def everything(person: Somebody) -> list[Any]:
    """Every text in the database."""

    def read(tx: Any) -> list[Any]:
        tables = [row[0] for row in tx.all("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [[str(cell) for row in tx.all(f"SELECT * FROM {table}") for cell in row] for table in tables]

    return await person.profile.db.read(read)


async def test_a_gist_is_taken_away_with_the_claim(profiles: ProfileServices, web: Web) -> None:
    user = f"u{secrets.token_hex(4)}"
    github, subject = SmallGitHub(web, HOST, user), f"github:{user}"
    with trio.fail_after(TEST_SECONDS):
        async with somebody(profiles, "alice", settings(web)) as alice:
            await alice.claims.authorize("github", user, TOKEN, dry_run=False)
            await alice.claims.create(subject, None, dry_run=False)
            assert (await publish(alice, subject)).done
        with pytest.RaisesGroup(CrashError, flatten_subgroups=True):
            async with somebody(profiles, "alice", settings(web), lambda p: Dying(p, "after")) as alice:
                await alice.claims.remove(subject, silent)
        assert github.gists == {}
        async with somebody(profiles, "alice", settings(web)) as alice:
            removed = await alice.claims.remove(subject, silent)
            assert removed.claim.step == "revoked"
            assert (await alice.operations()).count("revoke") == 1
            await alice.claims.remove(subject, silent)
            assert (await alice.operations()).count("revoke") == 1


async def test_a_service_that_limits_is_left_alone(profiles: ProfileServices, web: Web) -> None:
    user = f"u{secrets.token_hex(4)}"
    path = f"/gh/users/{user}/gists?per_page=100"
    web.put(HOST, path, "[]", 429, ("retry-after", "600"))
    with trio.fail_after(TEST_SECONDS):
        async with somebody(profiles, "bob", settings(web)) as bob:
            for _ in range(3):
                shown = await bob.graph.verify(f"github:{user}", fresh=True, report=silent)
                assert shown.status == "unreachable"
                assert shown.claims[0].retry_at is not None
            other = await bob.graph.verify("github:somebody-else", fresh=True, report=silent)
            assert (other.status, other.claims[0].last_status) == ("unreachable", None)
            assert web.calls == [f"GET {path}"]
            unknown = await bob.graph.verify("did:example:1", fresh=True, report=silent)
            assert unknown.status == "unreachable"


async def test_a_followed_person_whose_proof_vanishes_raises_the_alarm_once(
    profiles: ProfileServices, home: HomeProcess, web: Web
) -> None:
    domain = f"f{secrets.token_hex(4)}.example"
    subject, page = f"web:{domain}", f"/sites/{domain}/.well-known/kez.json"
    with trio.fail_after(TEST_SECONDS):
        async with (
            somebody(profiles, "alice", settings(web)) as alice,
            somebody(profiles, "bob", settings(web)) as bob,
        ):
            made = await alice.claims.create(subject, None, dry_run=False)
            web.put(HOST, page, made.envelope)
            await publish(alice, subject)
            await publish(alice, subject)
            assert await slug(bob.graph.follow(bob.handle, silent, dry_run=False)) is Slug.INVALID_ARGUMENT
            followed = await bob.graph.follow(alice.handle, silent, dry_run=False)
            assert followed.claims == {subject: "valid"}
            assert (await bob.graph.follows()).items == [followed]
            shown = await bob.graph.show(alice.handle, fresh=False, report=silent)
            assert shown.followed_since == followed.since

            following = bob.graph._following
            [stored] = await bob.profile.db.read(list_follows)
            web.put(HOST, page, "", 503)
            await following.look_again(stored)
            assert (await bob.graph.follows()).items[0].broken is None
            web.put(HOST, page, "", 404)
            for _ in range(2):
                [stored] = await bob.profile.db.read(list_follows)
                await following.look_again(stored)
            assert (await bob.graph.follows()).items[0].broken == f"{subject} was valid and is not_found"
            assert await bob.news() == ["vanished", "follow_broken"]
            shown = await bob.graph.show(alice.handle, fresh=False, report=silent)
            assert shown.follow_broken is not None
            await bob.graph.unfollow(f"@{alice.handle}", dry_run=False)
            assert await slug(bob.graph.unfollow(alice.handle, dry_run=False)) is Slug.NOT_FOUND


async def test_what_is_no_proof_of_theirs(profiles: ProfileServices, home: HomeProcess, web: Web) -> None:
    domain = f"m{secrets.token_hex(4)}.example"
    subject, page = f"web:{domain}", f"/sites/{domain}/.well-known/kez.json"
    with trio.fail_after(TEST_SECONDS):
        async with (
            somebody(profiles, "alice", settings(web)) as alice,
            somebody(profiles, "bob", settings(web, fresh_s=0.0)) as bob,
        ):
            mine = await alice.claims.create(subject, 60, dry_run=False)
            other = await alice.claims.create(f"web:x.{domain}", None, dry_run=False)
            bobs = await bob.claims.create(subject, None, dry_run=False)
            damaged = json.loads(mine.envelope)
            damaged["signature"]["sig"] = "00" * 64
            for text, status in (
                ("hello", "not_found"),
                ("kez:z1:AAAA", "invalid"),
                (json.dumps(damaged), "invalid"),
                (other.envelope, "subject_mismatch"),
                (bobs.envelope, "primary_mismatch"),
                (mine.envelope, "valid"),
            ):
                web.put(HOST, page, text)
                shown = await bob.graph.verify(mine.envelope, fresh=False, report=silent)
                assert shown.status == status, text
            assert (
                await slug(bob.graph.verify("nonsense:", fresh=False, report=silent)) is Slug.INVALID_ARGUMENT
            )
            assert await slug(bob.graph.verify("nobody-at-all", fresh=False, report=silent)) is Slug.NOT_FOUND
            broken = await bob.graph.verify("see kez:z1:AAAA", fresh=False, report=silent)
            assert (broken.status, broken.kind) == ("invalid", "proof")


async def test_a_nostr_primary_has_claims_and_a_chain_of_its_own(
    profiles: ProfileServices, home: HomeProcess, web: Web
) -> None:
    domain = f"n{secrets.token_hex(4)}.example"
    subject, page = f"web:{domain}", f"/sites/{domain}/.well-known/kez.json"
    key = NostrSigner(NostrSecret(secrets.token_bytes(32)))
    url = f"{home.url}/v1/sigchains/nostr/{key.public.npub}"
    now = int(SystemClock().now())
    web.put(HOST, page, encode_compact(key.claim(claim_payload(key.public, subject, now))))

    async def extend(bob: Somebody, chain: Chain, op: str, members: dict[str, Any]) -> Chain:
        event = event_from_envelope(key.sigchain_event(event_payload(chain, op, members, now)))
        await bob.profile.directory.append_event(url, key.public, event)
        return chain.append(event)

    with trio.fail_after(TEST_SECONDS):
        async with somebody(profiles, "bob", settings(web)) as bob:
            primary = key.public.primary
            shown = await bob.graph.verify(subject, fresh=False, report=silent)
            assert (shown.status, shown.primary) == ("valid", primary)
            assert await slug(bob.graph.show(primary, fresh=False, report=silent)) is Slug.NOT_FOUND
            chain = await extend(bob, Chain.empty(key.public), "add", add(subject))
            shown = await bob.graph.verify(primary, fresh=False, report=silent)
            assert (shown.kind, shown.status, shown.claims[0].subject) == ("person", "valid", subject)
            followed = await bob.graph.follow(primary, silent, dry_run=False)
            assert (followed.primary, followed.claims) == (primary, {subject: "valid"})
            await extend(bob, chain, "revoke", revoke(subject))
            assert (await bob.graph.verify(subject, fresh=False, report=silent)).status == "revoked"
            [stored] = await bob.profile.db.read(list_follows)
            await bob.graph._following.look_again(stored)
            assert (await bob.graph.follows()).items[0].broken == f"{subject} was valid and is revoked"
            await bob.graph.unfollow(primary, dry_run=False)


async def serve_dns(
    zone: dict[str, tuple[str, ...]], *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """TXT records over UDP, for ever."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as socket:
        await socket.bind(("127.0.0.1", 0))
        task_status.started(socket.getsockname()[1])
        while True:
            data, address = await socket.recvfrom(4096)
            reply = DNSRecord.parse(data).reply()
            name = str(reply.q.qname).rstrip(".")
            if name in zone:
                reply.add_answer(RR(name, QTYPE.TXT, rdata=TXT([part.encode() for part in zone[name]])))
            else:
                reply.header.rcode = RCODE.NXDOMAIN
            await socket.sendto(reply.pack(), address)


async def test_a_domain_by_its_zone_line(profiles: ProfileServices, home: HomeProcess, web: Web) -> None:
    domain = f"d{secrets.token_hex(4)}.example"
    subject, zone = f"dns:{domain}", dict[str, tuple[str, ...]]()
    with trio.fail_after(TEST_SECONDS):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(serve_dns, zone)
            config = settings(web, nameservers=("127.0.0.1",), nameserver_port=port)
            async with somebody(profiles, "alice", config) as alice:
                await alice.claims.create(subject, None, dry_run=False)
                first = await publish(alice, subject)
                assert first.paste is not None
                assert first.paste.startswith(f"_kez.{domain}. 3600 IN TXT ( ")
                zone[f"_kez.{domain}"] = tuple(first.paste.split('"')[1::2])
                done = await publish(alice, subject)
                assert (done.done, done.claim.url) == (True, f"TXT _kez.{domain}")
                shown = await alice.graph.verify(subject, fresh=True, report=silent)
                assert (shown.status, shown.handle) == ("valid", alice.handle)
            nursery.cancel_scope.cancel()


async def test_a_post_on_mastodon_is_made_once_over_a_crash(profiles: ProfileServices, web: Web) -> None:
    user, host = f"u{secrets.token_hex(4)}", "social.example"
    subject, api, keys = f"ap:{user}@{host}", f"{HOST}/ap/{host}", set[str]()
    me, posts = web.url(HOST, f"/users/{user}"), list[str]()

    def post(_request: Any) -> Any:
        keys.add(web.requests[-1]["idempotency-key"])
        posts[:] = [json.loads(web.bodies[-1])["status"]]
        return (200, [], json.dumps({"id": "1", "url": f"https://{host}/@{user}/1"}).encode())

    def outbox(_request: Any) -> Any:
        notes = [
            {"type": "Create", "actor": me, "object": {"type": "Note", "attributedTo": me, "content": text}}
            for text in posts
        ]
        return (200, [], json.dumps({"type": "OrderedCollection", "orderedItems": notes}).encode())

    finger = f"/.well-known/webfinger?resource=acct%3A{user}%40{host}"
    links = [{"rel": "self", "type": "application/activity+json", "href": me}]
    web.put(HOST, f"/ap/{host}{finger}", json.dumps({"links": links}))
    web.put(
        HOST,
        f"/users/{user}",
        json.dumps({"id": me, "type": "Person", "preferredUsername": user, "outbox": f"{me}/outbox"}),
    )
    web.pages[f"{HOST}/users/{user}/outbox"] = outbox
    web.put(HOST, f"/ap/{host}/api/v1/accounts/verify_credentials", json.dumps({"username": user}))
    web.pages[f"POST {api}/api/v1/statuses"] = post
    web.pages[f"DELETE {api}/api/v1/statuses/1"] = lambda _r: (200, [], b"{}")
    with trio.fail_after(TEST_SECONDS):
        with pytest.RaisesGroup(CrashError, flatten_subgroups=True):
            async with somebody(profiles, "alice", settings(web), lambda p: Dying(p, "after")) as alice:
                await alice.claims.authorize("ap", f"{user}@{host}", TOKEN, dry_run=False)
                await alice.claims.create(subject, None, dry_run=False)
                await publish(alice, subject)
        async with somebody(profiles, "alice", settings(web)) as alice:
            done = await publish(alice, subject)
            assert (done.done, done.claim.url, len(keys)) == (True, f"https://{host}/@{user}/1", 1)
            assert (await alice.claims.remove(subject, silent)).left == []
            assert f"DELETE /ap/{host}/api/v1/statuses/1" in web.calls

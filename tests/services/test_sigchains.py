"""Our sigchain as text, as a file, in the DNS, on the web and on a nostr relay, read back and compared, on a real home."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from dnslib import QTYPE, RR, TXT, DNSRecord

from kezd.api import types as t
from kezd.daemon.channels import VaultCredentials
from kezd.daemon.mirrors import open_mirrors
from kezd.errors import KezdError, Slug
from kezd.kez.mnemonic import words_to_seed
from kezd.kez.nostr_keys import NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.sigchain import Chain, add, decode_jsonl, encode_jsonl, event_from_envelope, event_payload
from kezd.kez.signing import Signer
from kezd.runtime.settings import ChannelsSettings, ContactsSettings
from kezd.services.contacts import Contacts
from kezd.services.sigchains import Sigchains
from kezd.testing.profile_services import OpenProfile, ProfileServices
from kezd.testing.small_relay import open_relay
from kezd.testing.small_web import open_web

TEST_SECONDS = 60
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
SITE = "alice.example"


async def enrolled(profile: OpenProfile) -> Signer:
    made = await profile.identity.create(24, None, False)
    await profile.identity.confirm({place: made.words[place - 1] for place in made.ask})
    await profile.identity.register("p" + secrets.token_hex(6), None)
    return Signer(words_to_seed(made.words))


@asynccontextmanager
async def sigchains_of(
    profile: OpenProfile, settings: ChannelsSettings | None = None
) -> AsyncIterator[Sigchains]:
    identity = profile.identity
    async with (
        Contacts.open(
            profile.db,
            profile.directory,
            lambda: (identity.primary, identity.server),
            profile.clock,
            ContactsSettings(),
            key=lambda: identity.key,
        ) as contacts,
        open_mirrors(settings or ChannelsSettings(), "test") as mirrors,
    ):
        yield Sigchains(
            profile.db, identity, contacts, mirrors, VaultCredentials(profile.vault), profile.clock
        )


def longer(key: Signer, chain: Chain, subject: str) -> Chain:
    payload = event_payload(chain, "add", add(subject), 1_800_000_000)
    return chain.append(event_from_envelope(key.sigchain_event(payload)))


@pytest.mark.parametrize("form", ["jsonl", "bundle", "zone"])
async def test_every_export_is_read_back(profiles: ProfileServices, tmp_path: Path, form: Any) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice, sigchains_of(alice) as chains:
            await enrolled(alice)
            params = t.SigchainExportParams(format=form, domain=SITE)
            exported = await chains.export(params)
            assert exported.text is not None
            assert exported.head == t.SigchainHead(seq=2, hash=exported.head.hash if exported.head else "")
            again = await chains.take(
                t.SigchainImportParams(
                    text=f"look here:\n{exported.text}" * (form != "jsonl") or exported.text
                )
            )
            assert (again.verdict, again.own, again.known_before) == ("same", True, 2)
            path = str(tmp_path / "chain")
            assert (
                await chains.export(t.SigchainExportParams(format=form, domain=SITE, path=path))
            ).text is None
            assert (await chains.take(t.SigchainImportParams(path=path))).verdict == "same"
            if form == "zone":
                assert exported.text.startswith(f'_kez-sigchain.{SITE}. 3600 IN TXT ( "kez:zc1:')
                assert max(map(len, re.findall(r'"([^"]*)"', exported.text))) <= 255


async def test_shown_in_words(profiles: ProfileServices) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice, sigchains_of(alice) as chains:
            key = await enrolled(alice)
            await chains.append("add", add("github:alice"))
            await chains.append("revoke", {"subject": "github:alice", "reason": "sold"})
            shown = await chains.show(None, 2)
            assert [event.says for event in shown.events] == [
                "I am also github:alice",
                "I am not github:alice any more: sold",
            ]
            assert (shown.earlier, shown.own, shown.key) == (2, True, key.public.primary)
            assert (shown.subjects, shown.revoked) == ([], ["github:alice"])
            assert shown == await chains.show(shown.genesis, 2)
            assert (await chains.add_nats("nats://elsewhere.test")).seq == 5
            with pytest.raises(KezdError) as caught:
                await chains.show("nobody@kez.test", 1)
            assert caught.value.slug is Slug.NOT_A_CONTACT


async def test_a_longer_copy_of_our_own_goes_to_the_server_and_a_fork_is_an_alarm(
    profiles: ProfileServices,
) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice, sigchains_of(alice) as chains:
            key = await enrolled(alice)
            known = alice.identity.chain
            assert known is not None
            copy = longer(key, known, "github:from-a-backup")
            taken = await chains.take(t.SigchainImportParams(text=encode_jsonl(copy).decode()))
            assert (taken.verdict, taken.known_before) == ("newer", 2)
            assert (await chains.append("add", add("dns:next.test"))).seq == 4
            served = await alice.directory.fetch_chain(
                f"{profiles.url}/v1/sigchains/ed25519/{known.genesis.hex}", known.genesis
            )
            assert served is not None
            assert decode_jsonl(served.jsonl, known.genesis) == alice.identity.chain
            assert (
                await chains.take(t.SigchainImportParams(text=encode_jsonl(copy).decode()))
            ).verdict == "older"
            fork = longer(key, known, "github:mallory")
            with pytest.raises(KezdError) as caught:
                await chains.take(t.SigchainImportParams(text=encode_jsonl(fork).decode()))
            assert caught.value.slug is Slug.CHAIN_FORK
            assert "from event 3 on" in ((await chains.show(None, 1)).alarm or "")
            await chains.dismiss()
            assert (await chains.show(None, 1)).alarm is None
            with pytest.raises(KezdError) as caught:
                await chains.take(t.SigchainImportParams(text="kez:zc1:AAAA"))
            assert caught.value.slug is Slug.CHAIN_INVALID


async def test_file_server_and_relay_are_read_back(profiles: ProfileServices, tmp_path: Path) -> None:
    signer = NostrSigner(NostrSecret.from_nsec(NSEC))
    with trio.fail_after(TEST_SECONDS):
        async with open_relay() as relay:
            settings = ChannelsSettings(nostr_relays=(relay.url,))
            async with profiles.open("alice") as alice, sigchains_of(alice, settings) as chains:
                await enrolled(alice)
                npub = signer.public.npub
                with pytest.raises(KezdError) as caught:
                    await chains.publish(t.SigchainPublishParams(to="nostr", account=npub))
                assert caught.value.slug is Slug.CREDENTIAL_REFUSED
                await VaultCredentials(alice.vault).put(f"nostr:{npub}", NSEC)
                done = await chains.publish(t.SigchainPublishParams(to="nostr", account=npub))
                assert (done.verdict, relay.events[0]["kind"], relay.events[0]["tags"]) == (
                    "same",
                    30078,
                    [["d", "kez-sigchain"]],
                )
                assert (await chains.publish(t.SigchainPublishParams())).where == "server"
                path = tmp_path / "kez-sigchain.jsonl"
                for _ in range(2):
                    done = await chains.publish(t.SigchainPublishParams(to="file", path=str(path)))
                    assert (done.where, done.verdict) == (str(path), "same")
                assert path.stat().st_mode & 0o777 == 0o644
                await chains.append("add", add("github:alice"))
                stale = await chains.check(t.SigchainCheckParams(source="nostr", at=npub))
                assert (stale.verdict, stale.head and stale.head.seq) == ("older", 2)


async def test_copies_in_the_dns_and_on_the_web(
    profiles: ProfileServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: dict[str, list[str]] = {}

    async def answer(sock: trio.socket.SocketType) -> None:
        while True:
            data, address = await sock.recvfrom(4096)
            query = DNSRecord.parse(data)
            reply = query.reply()
            strings = records.get(str(query.q.qname).rstrip("."))
            if strings:
                reply.add_answer(RR(query.q.qname, QTYPE.TXT, rdata=TXT(strings), ttl=1))
            await sock.sendto(reply.pack(), address)

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with trio.fail_after(TEST_SECONDS):
        async with open_web(authority, "localhost") as web, trio.open_nursery() as nursery:
            sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
            await sock.bind(("127.0.0.1", 0))
            nursery.start_soon(answer, sock)
            settings = ChannelsSettings(
                nameservers=("127.0.0.1",),
                nameserver_port=sock.getsockname()[1],
                web_base=web.url("localhost", "/sites/{domain}"),
            )
            async with profiles.open("alice") as alice, sigchains_of(alice, settings) as chains:
                await enrolled(alice)
                for source in ("dns", "web"):
                    with pytest.raises(KezdError) as caught:
                        await chains.check(t.SigchainCheckParams(source=source, at=SITE))  # type: ignore[arg-type]
                    assert caught.value.slug is Slug.NOT_FOUND
                zone = (await chains.export(t.SigchainExportParams(format="zone", domain=SITE))).text
                jsonl = (await chains.export(t.SigchainExportParams())).text
                assert zone is not None
                assert jsonl is not None
                records[f"_kez-sigchain.{SITE}"] = re.findall(r'"([^"]*)"', zone)
                web.put("localhost", f"/sites/{SITE}/.well-known/kez-sigchain.jsonl", jsonl)
                for source in ("dns", "web"):
                    found = await chains.check(t.SigchainCheckParams(source=source, at=SITE))  # type: ignore[arg-type]
                    assert (found.verdict, found.head and found.head.seq) == ("same", 2)
            nursery.cancel_scope.cancel()
        sock.close()

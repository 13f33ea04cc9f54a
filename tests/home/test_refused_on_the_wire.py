"""Every attempt of an ordinary person that nats-server must refuse, on the real wire, four accounts.

The victim `bobby` has a message that was delivered and not acknowledged, so that a forged
acknowledgement would be seen. Nothing here may change what STORE holds.
"""

import asyncio  # noqa: TID251 - home is an asyncio process
import json

import pytest

from kezd.home.nats_keys import load_keys
from kezd.home.nats_link import NatsLink
from kezd.testing.home_driver import HomeProcess
from kezd.testing.home_people import Person

# `{bob}`, `{me}`: hex primaries; `{bob_consumer}`, `{my_consumer}`: durables; `{bob_tag}`: bob's sender tag.
SUBSCRIPTIONS = [
    "kez.inbox.{bob}", "kez.inbox.{bob}.>", "kez.inbox.{bob}.0.*", "kez.inbox.{me}", "kez.inbox.{me}.0.*",
    "kez.inbox.*", "kez.inbox.*.*.*", ">", "*.*.*", "*.*.*.*.*", "_INBOX.>", "_INBOX_{bob}.>", "_INBOX_{bob}.x",
    "$SYS.>", "$SYS.REQ.USER.AUTH", "$SYS.ACCOUNT.>", "$JS.EVENT.ADVISORY.>", "$JS.API.>", "$JS.ACK.>",
    "$JS.ACK.KEZ_INBOX.{bob_consumer}.>", "$JS.ACK.KEZ_INBOX.{my_consumer}.>", "kez.rpc.>", "kez.rpc.{bob}.session",
    "kez.rpc.{me}.session", "_R_.>", "$SRV.>",
]  # fmt: skip
API_CALLS = [
    "STREAM.CREATE.X", "STREAM.UPDATE.KEZ_INBOX", "STREAM.DELETE.KEZ_INBOX", "STREAM.PURGE.KEZ_INBOX",
    "STREAM.INFO.KEZ_INBOX", "STREAM.SNAPSHOT.KEZ_INBOX", "STREAM.NAMES", "STREAM.LIST", "STREAM.RESTORE.X",
    "STREAM.MSG.GET.KEZ_INBOX", "STREAM.MSG.DELETE.KEZ_INBOX", "DIRECT.GET.KEZ_INBOX",
    "DIRECT.GET.KEZ_INBOX.kez.inbox.{bob}.0.{bob_tag}", "INFO", "CONSUMER.NAMES.KEZ_INBOX", "CONSUMER.LIST.KEZ_INBOX",
    "CONSUMER.INFO.KEZ_INBOX.{bob_consumer}", "CONSUMER.DELETE.KEZ_INBOX.{bob_consumer}",
    "CONSUMER.PAUSE.KEZ_INBOX.{bob_consumer}", "CONSUMER.RESET.KEZ_INBOX.{bob_consumer}",
    "CONSUMER.UNPIN.KEZ_INBOX.{bob_consumer}", "CONSUMER.LEADER.STEPDOWN.KEZ_INBOX.{bob_consumer}",
    "CONSUMER.DELETE.KEZ_INBOX.{my_consumer}", "CONSUMER.INFO.KEZ_INBOX.{my_consumer}",
    "CONSUMER.MSG.NEXT.KEZ_INBOX.{bob_consumer}", "CONSUMER.CREATE.KEZ_INBOX", "CONSUMER.CREATE.KEZ_INBOX.evil",
    "CONSUMER.CREATE.KEZ_INBOX.evil.kez.inbox.{bob}.0.*", "CONSUMER.DURABLE.CREATE.KEZ_INBOX.{my_consumer}",
    "CONSUMER.DURABLE.CREATE.KEZ_INBOX.evil", "STREAM.LEADER.STEPDOWN.KEZ_INBOX", "META.LEADER.STEPDOWN",
    "SERVER.REMOVE", "ACCOUNT.PURGE.STORE",
]  # fmt: skip
PUBLICATIONS = [
    *(f"$JS.API.{call}" for call in API_CALLS),
    "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.USER.INFO", "$SYS.REQ.USER.AUTH",
    "$SYS.REQ.ACCOUNT.CLIENTS.INFO", "$SYS.REQ.ACCOUNT.CLIENTS.CONNZ", "kez.other", "kez.inbox.a.b",
    "kez.inbox.{bob}", "kez.inbox.{bob}.0", "kez.inbox.{bob}.0.{bob_tag}", "kez.inbox.{bob}.0.{my_tag}.x",
    "kez.rpc.{bob}.session", "kez.rpc.{me}.other", "kez.rpc.{me}.session.x", "_INBOX_{bob}.x", "_R_.x",
    "$JS.ACK.KEZ_INBOX.{bob_consumer}.1.1.1.1.0", "$JS.API.CONSUMER.MSG.NEXT.KEZ_INBOX.{my_next_consumer}",
]  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with HomeProcess.start(tmp_path_factory.mktemp("refused") / "home") as home:
        mallory, bobby = Person("mallory"), Person("bobby")
        for person in (mallory, bobby):
            person.register(home.url)
        bob = bobby.connect(home.nats_url)
        bob.ask_session()
        bob.send(bobby.public, b"to myself, not acknowledged")
        [unacknowledged] = bob.pull()
        yield Scene(home, mallory, bob, unacknowledged)
        assert home.errors() == []


class Scene:
    def __init__(self, home, mallory, bob, unacknowledged):
        self.home, self.mallory, self.bob, self.unacknowledged = home, mallory, bob, unacknowledged

    def attacker(self):
        on_nats = self.mallory.connect(self.home.nats_url)
        assert on_nats.ask_session()["kind"] == "identity"
        return on_nats

    def fill(self, template, attacker):
        me = attacker.person.public.hex
        return template.format(
            bob=self.bob.person.public.hex, me=me, bob_consumer=self.bob.session["consumer"],
            my_consumer=attacker.session["consumer"], my_next_consumer=f"{me}_0_2",
            bob_tag=self.bob.tag, my_tag=attacker.tag,
        )  # fmt: skip

    def store(self, call, body=b""):
        keys = load_keys(self.home.directory / "keys")

        async def ask():
            async with NatsLink.open("test", [self.home.nats_url], keys.home) as link:
                return json.loads(await link.request(f"$JS.API.{call}", body))

        return asyncio.run(ask())

    def untouched(self):
        stream = self.store("STREAM.INFO.KEZ_INBOX")
        consumer = self.store(f"CONSUMER.INFO.KEZ_INBOX.{self.bob.session['consumer']}")
        return stream["state"]["messages"] == 1 and consumer["num_ack_pending"] == 1


@pytest.mark.parametrize("template", SUBSCRIPTIONS)
def test_subscription_is_refused(scene, template):
    attacker = scene.attacker()
    nats_subject = scene.fill(template, attacker)
    attacker.raw.subscribe(nats_subject)
    attacker.raw.barrier()
    assert [f"-ERR 'Permissions Violation for Subscription to \"{nats_subject}\"'"] == attacker.raw.errors


@pytest.mark.parametrize("template", PUBLICATIONS)
def test_publication_is_refused(scene, template):
    attacker = scene.attacker()
    nats_subject = scene.fill(template, attacker)
    attacker.raw.publish(nats_subject, b'{"batch":1}', attacker.inbox)
    attacker.raw.barrier()
    assert [f"-ERR 'Permissions Violation for Publish to \"{nats_subject}\"'"] == attacker.raw.errors
    assert attacker.raw.wait_message(0.02) is None


def test_nothing_of_all_that_changed_the_store(scene):
    assert scene.untouched()


def test_forged_acknowledgement_is_refused(scene):
    attacker = scene.attacker()
    attacker.raw.publish(scene.unacknowledged.reply, b"+ACK")
    attacker.raw.barrier()
    assert "Permissions Violation" in attacker.raw.errors[0]
    assert scene.untouched()


def test_acknowledgement_as_reply_is_refused(scene):
    attacker = scene.attacker()
    attacker.raw.publish(f"kez.rpc.{attacker.person.public.hex}.session", b"+ACK", scene.unacknowledged.reply)
    attacker.raw.barrier()
    assert "reply" in attacker.raw.errors[0].lower()
    assert scene.untouched()


def test_trace_to_somebody_else_is_refused(scene):
    attacker = scene.attacker()
    victim = f"_INBOX_{scene.bob.person.public.hex}.x"
    nats_subject = scene.fill("kez.inbox.{bob}.0.{my_tag}", attacker)
    attacker.raw.publish(
        nats_subject, b"x", attacker.inbox, headers=f"Nats-Trace-Dest: {victim}\r\nNats-Trace-Only: 1"
    )
    attacker.raw.barrier()
    assert any("Permissions Violation" in error for error in attacker.raw.errors)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Nats-Rollup: all", 10111), ("Nats-Rollup: sub", 10111), ("Nats-TTL: 1h", 10166),
        ("Nats-Schedule: @at 2099-01-01T00:00:00Z\r\nNats-Schedule-Target: kez.inbox.x.0.y", 10188),
        ("Nats-Incr: +1", 10168), ("Nats-Batch-Id: b\r\nNats-Batch-Sequence: 1", 10174),
    ],
)  # fmt: skip
def test_stream_headers_are_refused(scene, header, code):
    attacker = scene.attacker()
    answer = attacker.send(scene.bob.person.public, b"x", headers=header)
    assert answer["error"]["err_code"] == code
    assert scene.untouched()


def test_the_allowed_is_allowed(scene):
    """The same connection can do its own things: the refusals above are not a dead connection."""
    attacker = scene.attacker()
    assert "seq" in attacker.send(attacker.person.public, b"note to self")
    [message] = attacker.pull()
    attacker.ack(message)
    assert attacker.raw.errors == []

"""The attacks that need one reply subject, against our four accounts and against the textbook.

nats-server checks the right to publish on the subject, never on the reply. In one account with
JetStream (the textbook set-up, careful allow lists and all) each attack here works: that shows
that the test can fail. With people in an account of their own, none has any effect.
"""

import asyncio  # noqa: TID251 - home is an asyncio process
import contextlib
import json
import secrets
import time

import pytest

from kezd.home.nats_keys import create_missing_keys, load_keys
from kezd.home.nats_link import NatsLink
from kezd.testing.home_driver import HomeProcess
from kezd.testing.home_people import Person, PersonOnNats
from kezd.testing.nats_driver import NatsServer
from kezd.testing.raw_nats import RawNats

STREAM = "KEZ_INBOX"
EFFECT_SECONDS = 3.0
NO_EFFECT_SECONDS = 0.15
MALLORY_TAG, BOB_TAG = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"


class World:
    """One broker with mallory (attacker), bobby (victim), and a root connection in the stream's account."""

    name = ""

    def __init__(self, url, root_key, mallory, bobby):
        self.url = url
        self.mallory: PersonOnNats = mallory
        self.bobby: PersonOnNats = bobby
        self.root = RawNats.login(url, root_key.public, lambda nonce: root_key.sign(nonce.encode()))
        self.root.subscribe("_INBOX_root.x")
        self.watch = RawNats.login(url, root_key.public, lambda nonce: root_key.sign(nonce.encode()))
        # JetStream delivers to a push subject only when somebody listens to exactly that one
        for nats_subject in ("kez.secret.x", "kez.secret.z", f"kez.rpc.{self.bob}.>"):
            self.watch.subscribe(nats_subject)
        self.watch.barrier()

    @property
    def me(self):
        return self.mallory.person.public.hex

    @property
    def bob(self):
        return self.bobby.person.public.hex

    @property
    def forged(self):
        """A subject that only bobby may write to: a message there is from bobby, to bobby."""
        return f"kez.inbox.{self.bob}.0.{self.bobby.tag}"

    def api(self, call, body=b""):
        answer = self.root.request(f"$JS.API.{call}", body, "_INBOX_root.x")
        return json.loads(answer.data)

    def stream(self):
        return self.api(f"STREAM.INFO.{STREAM}")

    # what mallory may do
    def pull(self, reply, body=b'{"batch":50,"no_wait":true}'):
        self.mallory.raw.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self.mallory.session['consumer']}", body, reply
        )
        self.mallory.raw.barrier()

    def rpc(self, reply, body=b"{}"):
        self.mallory.raw.publish(f"kez.rpc.{self.me}.session", body, reply)
        self.mallory.raw.barrier()

    def send(self, reply, body=b"x"):
        self.mallory.raw.publish(f"kez.inbox.{self.me}.0.{self.mallory.tag}", body, reply)
        self.mallory.raw.barrier()

    # what an attack would do
    def stream_is_gone(self):
        return "error" in self.stream()

    def stream_is_empty(self):
        return self.stream().get("state", {}).get("messages") == 0

    def bobs_consumer_is_gone(self):
        return "error" in self.api(f"CONSUMER.INFO.{STREAM}.{self.bobby.session['consumer']}")

    def forged_message_is_stored(self):
        body = json.dumps({"subjects_filter": self.forged}).encode()
        return bool(self.api(f"STREAM.INFO.{STREAM}", body)["state"].get("subjects"))

    def bobs_rpc_was_called(self):
        return self.watch.wait_message(0.02) is not None

    secret_was_reached = bobs_rpc_was_called


@contextlib.contextmanager
def four_accounts(directory):
    with HomeProcess.start(directory) as home:
        mallory, bobby = Person("mallory"), Person("bobby")
        for person in (mallory, bobby):
            person.register(home.url)
        bob, mal = bobby.connect(home.nats_url), mallory.connect(home.nats_url)
        bob.ask_session()
        mal.ask_session()
        mal.send(bobby.public, b"keep me")
        yield World(home.nats_url, load_keys(home.directory / "keys").home, mal, bob)
        assert home.errors() == []


@contextlib.contextmanager
def one_account(directory):
    """What a careful operator would write: least privilege, but everybody beside JetStream."""
    directory.mkdir()
    create_missing_keys(directory / "keys", secrets.token_bytes)
    root = load_keys(directory / "keys").home
    mallory, bobby = Person("mallory"), Person("bobby")
    users = [f"{{ nkey: {root.public} }}"]
    for person, tag in ((mallory, MALLORY_TAG), (bobby, BOB_TAG)):
        me = person.public.hex
        allow = json.dumps(
            [
                f"kez.inbox.*.*.{tag}", f"kez.rpc.{me}.session", f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{me}_0_1",
                f"$JS.ACK.{STREAM}.{me}_0_1.>", f"$JS.API.CONSUMER.CREATE.{STREAM}.{me}_push.kez.inbox.{me}.1.{tag}",
            ]
        )  # fmt: skip
        users.append(
            f'{{ nkey: {person.public.nkey}, permissions: {{ publish: {allow}, subscribe: ["_INBOX_{me}.>"] }} }}'
        )
    config = f'jetstream {{ store_dir: "{directory}/js" }}\naccounts {{ KEZ {{ jetstream: enabled, users: [ {", ".join(users)} ] }} }}'
    with NatsServer.start(directory / "nats", config) as server:
        asyncio.run(_prepare(server.url, root, (mallory, bobby)))
        people = []
        for person, tag in ((mallory, MALLORY_TAG), (bobby, BOB_TAG)):
            on_nats = person.connect(server.url)
            on_nats.session = {"consumer": f"{person.public.hex}_0_1", "tags": [{"tag": tag}]}
            people.append(on_nats)
        mal, bob = people
        mal.send(bobby.public, b"keep me")
        world = World(server.url, root, mal, bob)
        # a home that answers its RPC on whatever reply subject it is given
        answering = RawNats.login(server.url, root.public, lambda nonce: root.sign(nonce.encode()))
        answering.subscribe(f"kez.rpc.{world.me}.session")
        answering.barrier()
        world.home = answering
        yield world


async def _prepare(url, root, people):
    async with NatsLink.open("root", [url], root) as link:
        stream = {
            "name": STREAM,
            "subjects": ["kez.inbox.*.*.*"],
            "retention": "workqueue",
            "storage": "file",
        }
        assert "error" not in await link.request_json(f"$JS.API.STREAM.CREATE.{STREAM}", stream)
        for person in people:
            name = f"{person.public.hex}_0_1"
            config = {
                "durable_name": name,
                "filter_subject": f"kez.inbox.{person.public.hex}.0.*",
                "ack_policy": "explicit",
            }
            body = {"stream_name": STREAM, "config": config}
            assert "error" not in await link.request_json(
                f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.{name}", body
            )


def answer_rpc(world):
    """The textbook home answers; ours answers by itself, on the server's own reply subject."""
    if hasattr(world, "home"):
        message = world.home.wait_message(2)
        world.home.publish(message.reply, b'{"error":"bad_request"}')
        world.home.barrier()


def own_message(world, body=b"payload"):
    world.send(world.mallory.inbox, body)
    assert world.mallory.raw.wait_message(2) is not None
    world.pull(world.mallory.inbox, b'{"batch":1,"no_wait":true}')
    return world.mallory.raw.wait_message(2)


def a6_purge_by_empty_pull(world):
    world.pull(f"$JS.API.STREAM.PURGE.{STREAM}")


def a7_delete_by_empty_pull(world):
    world.pull(f"$JS.API.STREAM.DELETE.{STREAM}")


def a8_delete_bobs_consumer(world):
    world.pull(f"$JS.API.CONSUMER.DELETE.{STREAM}.{world.bobby.session['consumer']}")


def a15_delete_by_ack_reply(world):
    message = own_message(world)
    world.mallory.raw.publish(message.reply, b"+ACK", f"$JS.API.STREAM.DELETE.{STREAM}")
    world.mallory.raw.barrier()


def s1_forge_by_pull(world):
    world.pull(world.forged)


def s5_forge_by_rpc(world):
    world.rpc(world.forged)
    answer_rpc(world)


def s8_forge_by_publish(world):
    world.send(world.forged)


def s2_bobs_rpc_by_pull(world):
    world.pull(f"kez.rpc.{world.bob}.session")


def s3_bobs_rpc_by_rpc(world):
    world.rpc(f"kez.rpc.{world.bob}.session")
    answer_rpc(world)


def s4_bobs_rpc_by_publish(world):
    world.send(f"kez.rpc.{world.bob}.session")


def s6_bobs_rpc_with_own_payload(world):
    world.send(world.mallory.inbox, b'{"installation_id":"00000000000000000000000000000000","takeover":true}')
    world.pull(f"kez.rpc.{world.bob}.session")


def r2_secret_by_pull(world):
    world.pull("kez.secret.x")


def a5_secret_by_publish(world):
    world.send("kez.secret.x")


def b_push_consumer(world):
    name, filter_subject = f"{world.me}_push", f"kez.inbox.{world.me}.1.{world.mallory.tag}"
    config = {
        "name": name,
        "filter_subject": filter_subject,
        "ack_policy": "explicit",
        "deliver_subject": "kez.secret.z",
    }
    body = json.dumps({"stream_name": STREAM, "config": config}).encode()
    world.mallory.raw.publish(
        f"$JS.API.CONSUMER.CREATE.{STREAM}.{name}.{filter_subject}", body, world.mallory.inbox
    )
    world.mallory.raw.wait_message(1)
    world.mallory.raw.publish(filter_subject, b"attacker bytes", world.mallory.inbox)
    world.mallory.raw.barrier()


ATTACKS = [
    (a6_purge_by_empty_pull, World.stream_is_empty),
    (a7_delete_by_empty_pull, World.stream_is_gone),
    (a8_delete_bobs_consumer, World.bobs_consumer_is_gone),
    (a15_delete_by_ack_reply, World.stream_is_gone),
    (s1_forge_by_pull, World.forged_message_is_stored),
    (s5_forge_by_rpc, World.forged_message_is_stored),
    (s8_forge_by_publish, World.forged_message_is_stored),
    (s2_bobs_rpc_by_pull, World.bobs_rpc_was_called),
    (s3_bobs_rpc_by_rpc, World.bobs_rpc_was_called),
    (s4_bobs_rpc_by_publish, World.bobs_rpc_was_called),
    (s6_bobs_rpc_with_own_payload, World.bobs_rpc_was_called),
    (r2_secret_by_pull, World.secret_was_reached),
    (a5_secret_by_publish, World.secret_was_reached),
    (b_push_consumer, World.secret_was_reached),
]
IDS = [attack.__name__ for attack, _ in ATTACKS]


def happens(world, effect, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if effect(world):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("attack", "effect"), ATTACKS, ids=IDS)
def test_attack_works_against_the_textbook(tmp_path, attack, effect):
    with one_account(tmp_path / "one") as world:
        assert not effect(world)
        attack(world)
        assert happens(world, effect, EFFECT_SECONDS)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    with four_accounts(tmp_path_factory.mktemp("attacks") / "home") as world:
        yield world


@pytest.mark.parametrize(("attack", "effect"), ATTACKS, ids=IDS)
def test_attack_fails_against_four_accounts(ours, attack, effect):
    attack(ours)
    assert not happens(ours, effect, NO_EFFECT_SECONDS)
    assert not ours.stream_is_gone()
    assert not ours.stream_is_empty()
    assert not ours.bobs_consumer_is_gone()


def test_nothing_reached_bobby_but_what_was_sent_to_him(ours):
    assert [message.data for message in ours.bobby.pull(10)] == [b"keep me"]


def test_the_remaining_one_bytes_to_a_known_inbox(ours):
    """R1: who knows a reply inbox can have the server send bytes there; content is checked end to end."""
    ours.pull(ours.bobby.inbox)
    message = ours.bobby.raw.wait_message(1)
    assert message is None or b"404" in message.headers or message.data

"""Sessions: one live installation, fencing generations, takeover, guests; on the real wire."""

import contextlib
import json
import secrets

import httpx
import pytest

from kezd.home.store.ports import StoredSession
from kezd.kez.sender_tag import inbox_prefix
from kezd.testing.home_driver import HomeProcess
from kezd.testing.home_people import Person
from kezd.testing.raw_nats import RefusedError


@pytest.fixture
def alice(shared_home):
    person = Person(f"alice{secrets.token_hex(4)}")
    person.register(shared_home.url)
    return person


@pytest.fixture
def bobby(shared_home):
    person = Person(f"bobby{secrets.token_hex(4)}")
    person.register(shared_home.url)
    return person


def test_a_first_session_says_everything(shared_home, alice):
    session = alice.connect(shared_home.nats_url).ask_session()
    assert {"v": 1, "kind": "identity", "generation": 1, "device": "0"}.items() <= session.items()
    assert session["consumer"] == f"{alice.public.hex}_0_1"
    assert session["inbox"] == inbox_prefix(alice.public)
    today, tomorrow = session["tags"]
    assert today["until"] == tomorrow["from"]
    assert today["until"] - today["from"] == 86_400
    assert today["from"] <= session["now"] < today["until"]
    assert session["sending"] == {"allowed": True}
    assert 3590 < session["jwt_expires_in"] <= 3601
    assert session["limits"] == {
        "max_message": 196_608, "pending_per_inbox": 1000, "pending_messages": 5000, "pending_bytes": 67_108_864,
    }  # fmt: skip


def test_the_same_installation_keeps_its_generation(shared_home, alice):
    first = alice.connect(shared_home.nats_url)
    assert first.ask_session()["generation"] == 1
    assert first.ask_session(takeover=True)["generation"] == 1
    assert alice.connect(shared_home.nats_url).ask_session()["generation"] == 1


def test_another_installation_is_superseded_until_it_takes_over(shared_home, alice, bobby):
    old = alice.connect(shared_home.nats_url)
    old.ask_session()
    sender = bobby.connect(shared_home.nats_url)
    sender.ask_session()
    sender.send(alice.public, b"before")
    assert [message.data for message in old.pull()] == [b"before"]
    new = alice.again().connect(shared_home.nats_url)
    refused = new.ask_session()
    assert refused["error"] == "superseded"
    assert set(refused) == {"error", "message", "hint"}
    granted = new.ask_session(takeover=True)
    assert granted["generation"] == 2
    assert old.raw.wait_closed(5), "the older connection is kicked"
    assert [message.data for message in new.pull()] == [b"before"], "what was not acknowledged is not lost"
    back = old.person.connect(shared_home.nats_url)
    assert back.ask_session()["error"] == "superseded"
    for generation in (1, 2):
        consumer = f"{alice.public.hex}_0_{generation}"
        back.raw.publish(f"$JS.API.CONSUMER.MSG.NEXT.KEZ_INBOX.{consumer}", b'{"batch":1}', back.inbox)
        back.raw.barrier()
    assert len(back.raw.errors) == 2, "a fenced installation pulls neither consumer"
    assert new.ask_session()["generation"] == 2


def test_the_fenced_one_may_take_over_again(shared_home, alice):
    first = alice.connect(shared_home.nats_url)
    first.ask_session()
    second = alice.again().connect(shared_home.nats_url)
    second.ask_session(takeover=True)
    assert first.raw.wait_closed(5)
    back = alice.connect(shared_home.nats_url)
    assert back.ask_session(takeover=True)["generation"] == 3
    assert second.raw.wait_closed(5)
    back.send(alice.public, b"to myself")
    assert [message.data for message in back.pull()] == [b"to myself"]


def session_despite_kicks(person, home):
    """A connection made while a takeover is under way may still be kicked; a peer comes back, too."""
    for _ in range(50):
        with contextlib.suppress(OSError):
            return person.connect(home.nats_url).ask_session()
    raise AssertionError("kicked again and again")


def test_two_takeovers_at_once_leave_one_live(shared_home, alice):
    alice.connect(shared_home.nats_url).ask_session()
    rivals = [alice.again().connect(shared_home.nats_url) for _ in range(2)]
    for rival in rivals:
        body = {"installation_id": rival.person.installation_id, "takeover": True, "v": 1}
        rival.raw.publish(f"kez.rpc.{alice.public.hex}.session", json.dumps(body).encode(), rival.inbox)
    generations = []
    for rival in rivals:
        try:
            answer = rival.raw.wait_message(5)
        except OSError:
            continue
        generations.append(json.loads(answer.data).get("generation"))
    assert set(generations) <= {2, 3}, "each takeover got a generation of its own"
    assert len(set(generations)) == len(generations)
    stored = [session_despite_kicks(rival.person, shared_home).get("generation") for rival in rivals]
    assert sorted(stored, key=str) == [3, None], "exactly one of them is live"


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{}", b"[]", b"garbage", b'{"installation_id":"short"}', b'{"installation_id":"\xff"}', b'{"installation_id":1}',
        b'{"installation_id":"%s","v":2}' % (b"0" * 32), b'{"installation_id":"%s","identity":"x"}' % (b"0" * 32),
        b'{"installation_id":"%s"}' % (b"G" * 32), b" " * 5000 + b'{"installation_id":"%s"}' % (b"0" * 32),
    ],
)  # fmt: skip
def test_bad_requests_are_told_so(shared_home, alice, payload):
    answer = alice.connect(shared_home.nats_url).rpc(payload)
    assert answer["error"] == "bad_request"


def test_one_persons_takeovers_do_not_take_all_hands(shared_home, alice, bobby):
    waiting, mallory = bobby.connect(shared_home.nats_url), alice.connect(shared_home.nats_url)
    waiting.ask_session(takeover=True)
    busy = count(shared_home, "busy")
    subject = f"kez.rpc.{alice.public.hex}.session"
    flood = b""
    for _ in range(600):
        asked = json.dumps({"installation_id": secrets.token_hex(16), "takeover": True, "v": 1}).encode()
        flood += f"PUB {subject} {mallory.inbox} {len(asked)}\r\n".encode() + asked + b"\r\n"
    mallory.raw.send(flood)
    assert waiting.ask_session()["kind"] == "identity"
    assert mallory.raw.wait_closed(5)
    assert count(shared_home, "busy") - busy > 500


def count(home, result):
    """How many session requests ended so."""
    start = f'kezd_home_sessions_total{{result="{result}"}} '
    lines = httpx.get(f"{home.internal_url}/metrics").text.splitlines()
    return sum(float(line.removeprefix(start)) for line in lines if line.startswith(start))


def test_no_reply_subject_no_work(shared_home, alice):
    on_nats = alice.connect(shared_home.nats_url)
    body = json.dumps({"installation_id": alice.installation_id}).encode()
    on_nats.raw.publish(f"kez.rpc.{alice.public.hex}.session", body)
    on_nats.raw.barrier()
    assert on_nats.raw.wait_message(0.1) is None
    assert on_nats.ask_session()["generation"] == 1


def test_a_sender_cannot_read_its_own_tag_of_another_day(shared_home, alice, bobby):
    sender = bobby.connect(shared_home.nats_url)
    sender.ask_session()
    tomorrow = sender.session["tags"][1]["tag"]
    assert "seq" in sender.send(alice.public, b"dated tomorrow", tag=tomorrow)
    sender.raw.publish(f"kez.inbox.{alice.public.hex}.0.{'0' * 16}", b"x", sender.inbox)
    sender.raw.barrier()
    assert "Permissions Violation" in sender.raw.errors[0]


def test_full_inbox_too_large_and_duplicates_are_told_apart(shared_home, alice, bobby):
    sender = bobby.connect(shared_home.nats_url)
    sender.ask_session()
    assert "duplicate" not in sender.send(alice.public, b"one", headers="Nats-Msg-Id: 1234")
    assert sender.send(alice.public, b"one", headers="Nats-Msg-Id: 1234")["duplicate"] is True
    assert "seq" in sender.send(alice.public, b"x" * 196_608, headers="Nats-Msg-Id: " + "5" * 32)
    assert sender.send(alice.public, b"x" * 197_633)["error"]["err_code"] == 10054
    for _ in range(997):
        sender.raw.publish(f"kez.inbox.{alice.public.hex}.0.{sender.tag}", b"x")
    sender.raw.barrier()
    assert "seq" in sender.send(alice.public, b"the thousandth")
    assert sender.send(alice.public, b"one too many")["error"]["err_code"] == 10077
    reader = alice.connect(shared_home.nats_url)
    reader.ask_session()
    assert "seq" in reader.send(alice.public, b"another sender still gets in")
    [message] = reader.pull()
    reader.ack(message)
    assert "seq" in sender.send(alice.public, b"and so does the first one, after an acknowledgement")


def test_an_interrupted_takeover_is_completed_by_asking_again(open_threaded_home):
    """The generations moved on disk, the consumers did not: what a crash between the two leaves."""
    home = open_threaded_home()
    alice = home.person("alice")
    first = alice.connect(home.nats_url)
    first.ask_session()
    first.send(alice.public, b"waiting")
    new = alice.again()
    store = home.home.side._stores.sessions
    assert home.call(store.advance(alice.public.raw, StoredSession(2, "0" * 32)))
    assert home.call(store.advance(alice.public.raw, StoredSession(3, new.installation_id)))
    on_nats = new.connect(home.nats_url)
    assert on_nats.ask_session()["generation"] == 3
    assert [message.data for message in on_nats.pull()] == [b"waiting"]


def test_guests_deliver_and_nothing_else(tmp_path):
    with HomeProcess.start(tmp_path / "home", guests=True) as home:
        alice = Person("alice")
        alice.register(home.url)
        reader = alice.connect(home.nats_url)
        reader.ask_session()
        stranger = Person("nobody")
        guest_signer = stranger.signer.nats_guest("kez.test")
        guest = Person("nobody", guest_signer).connect(home.nats_url)
        session = guest.ask_session()
        assert session["kind"] == "guest"
        assert "consumer" not in session
        assert len(session["tags"]) == 2
        assert "seq" in guest.send(alice.public, b"hello from elsewhere")
        assert [message.data for message in reader.pull()] == [b"hello from elsewhere"]
        me = guest_signer.public.hex
        for nats_subject in (
            f"$JS.API.CONSUMER.MSG.NEXT.KEZ_INBOX.{me}_0_1",
            f"kez.rpc.{alice.public.hex}.session",
        ):
            guest.raw.publish(nats_subject, b"{}", guest.inbox)
        guest.raw.subscribe(f"kez.inbox.{me}.>")
        guest.raw.barrier()
        assert len(guest.raw.errors) == 3
        assert home.errors() == []


def test_without_guests_a_guest_is_refused(shared_home):
    with pytest.raises(RefusedError, match="Authorization Violation"):
        Person("nobody").connect(shared_home.nats_url)

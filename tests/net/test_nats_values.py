"""Addresses, acknowledgements, sessions and the window: the pure parts of the NATS transport."""

import json

import pytest

from kezd.net.nats.endpoint import Endpoint, parse_endpoint, parse_endpoints
from kezd.net.nats.errors import HomeRefusedError, SupersededError
from kezd.net.nats.puback import decode_puback
from kezd.net.nats.pull import PullWindow
from kezd.net.nats.session import decode_session, encode_session_request
from kezd.runtime.transport import Accepted, RefusalReason, Refused, TransportUnavailableError


def test_spellings_of_one_address_are_one_endpoint() -> None:
    assert parse_endpoint("nats://Home.Example") == parse_endpoint("tls://home.example:4222")
    assert parse_endpoint("nats://home.example:4223") != parse_endpoint("nats://home.example")
    assert parse_endpoints("nats://a:1, tls://b") == (Endpoint("a", 1), Endpoint("b", 4222))
    assert parse_endpoint("nats://[::1]:7").url == "nats://[::1]:7"


@pytest.mark.parametrize(
    "text",
    ["", "home.example:4222", "http://home", "ws://home", "nats://", "nats://me:pw@home", "nats://h:x"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("[::1]", True),
        ("127.1", False),
        ("127.0.0.1.example", False),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_loopback_is_only_what_is_spelt_so(host: str, loopback: bool) -> None:
    assert parse_endpoint(f"nats://{host}").loopback is loopback


@pytest.mark.parametrize(
    ("answer", "first", "result"),
    [
        ({"stream": "S", "seq": 1}, True, Accepted()),
        ({"stream": "S", "seq": 1, "duplicate": True}, False, Accepted(duplicate=True)),
        ({"stream": "S", "seq": 1, "duplicate": True}, True, Refused(RefusalReason.DUPLICATE_ID)),
        ({"error": {"err_code": 10077, "description": "maximum messages per subject exceeded"}}, True,
         Refused(RefusalReason.INBOX_FULL)),
        ({"error": {"err_code": 10077, "description": "maximum bytes exceeded"}}, True,
         Refused(RefusalReason.HOME_FULL)),
        ({"error": {"err_code": 10077, "description": "maximum messages exceeded"}}, True,
         Refused(RefusalReason.HOME_FULL)),
        ({"error": {"err_code": 10023, "description": "insufficient resources"}}, True,
         Refused(RefusalReason.HOME_FULL)),
        ({"error": {"err_code": 10054, "description": "message size exceeds maximum allowed"}}, True,
         Refused(RefusalReason.TOO_LARGE)),
    ],
)  # fmt: skip
def test_answers_of_the_stream(answer: dict[str, object], first: bool, result: object) -> None:
    assert decode_puback(json.dumps(answer).encode(), first_attempt=first) == result


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"[]", b'{"stream": "S", "seq": 0}', b'{"stream": 7}', b'{"error": {"err_code": 10077}}',
     b'{"error": {"err_code": 10008, "description": "no leader"}}', b"\xff",
     b'{"stream": "\xff"}', b'{"x": ' + b"[" * 9_000],
)  # fmt: skip
def test_anything_else_leaves_the_fate_open(answer: bytes) -> None:
    with pytest.raises(TransportUnavailableError):
        decode_puback(answer, first_attempt=True)


def test_a_session_picks_the_tag_of_the_hour() -> None:
    answer = {
        "v": 1, "kind": "guest", "now": 50.5, "jwt_expires_in": 10, "new_member": 1,
        "tags": [{"tag": "a", "from": 0, "until": 100}, {"tag": "b", "from": 100, "until": 200}],
    }  # fmt: skip
    session = decode_session(json.dumps(answer).encode())
    assert [session.tag_at(at) for at in (0, 99.9, 100, 199, 200, -1)] == ["a", "a", "b", "b", None, None]
    assert session.sending.allowed
    assert json.loads(encode_session_request("ab", takeover=True))["takeover"] is True


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"error": "superseded", "message": "m"}', SupersededError),
        (b'{"error": "not_registered"}', HomeRefusedError),
        (b'{"error": "bad_request"}', TransportUnavailableError),
        (b'{"error": 7}', TransportUnavailableError),
        (b"{}", TransportUnavailableError),
        (b"no", TransportUnavailableError),
        (b'{"kind": "\xff"}', TransportUnavailableError),
        (b'{"x": ' + b"[" * 9_000, TransportUnavailableError),
        (b" " * 20_000, TransportUnavailableError),
    ],
)
def test_other_session_answers(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode_session(answer)


def test_the_window_counts_messages_and_bytes() -> None:
    window = PullWindow()
    assert window.room(owed=0, owed_bytes=0) == 1024
    window.add("a", 10)
    assert window.room(owed=100, owed_bytes=0) == 923
    window.release("a")
    window.release("a")
    window.release("never seen")
    assert window.room(owed=0, owed_bytes=PullWindow.BYTES) == 0
    window.add("big", PullWindow.BYTES)
    assert window.room(owed=0, owed_bytes=0) == 0
    assert window.take_all() == ["big"]
    assert window.room(owed=0, owed_bytes=0) == 1024

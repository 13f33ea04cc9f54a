"""What is worth a notification, without a desktop: virtual time."""

import pytest

from kez_cli.notices import HOLD, Notices

BOB = {"genesis": "ed25519:" + "ab" * 32, "handle": "bob@kez.test", "state": "accepted"}


def message(number, text="hello", **more) -> dict:
    return {
        "id": str(number), "contact": BOB["genesis"], "handle": BOB["handle"], "direction": "in", "state": "received",
        "kind": "text", "text": text, "position": number, **more,
    }  # fmt: skip


def seen(up_to) -> dict:
    return {"type": "seen", "contact": BOB["genesis"], "up_to": up_to, "marked": 1}


def received(number, text="hello", *, notify=True, **more) -> dict:
    return {"type": "received", "message": message(number, text, **more), "notify": notify}


def test_a_message_is_shown_after_a_moment():
    notices = Notices()
    assert notices.wait(0) is None
    notices.event("message", received(1), 10)
    assert notices.due(10) == []
    assert notices.wait(10) == HOLD
    [notice] = notices.due(10 + HOLD)
    assert (notice.summary, notice.hidden, notice.text) == ("@bob@kez.test", "a message", "hello")
    assert notices.due(100) == []
    assert notices.wait(100) is None


def test_a_flood_is_one_notice():
    notices = Notices()
    for number in range(3):
        notices.event("message", received(number, f"text {number}"), 0.1 * number)
    [notice] = notices.due(HOLD)
    assert (notice.summary, notice.hidden, notice.text) == (
        "@bob@kez.test: 3 messages",
        "3 messages",
        "text 2",
    )
    for number in range(3, 103):
        notices.event("message", received(number), HOLD + number / 1000)
    shown = [notice for step in range(40) for notice in notices.due(HOLD + step / 20)]
    assert [notice.summary for notice in shown] == ["@bob@kez.test: 103 messages"]


def test_what_is_seen_in_time_is_never_shown_and_what_is_seen_later_goes_away():
    notices = Notices()
    notices.event("message", received(1), 0)
    notices.event("message", seen(1), 0.5)
    assert notices.due(HOLD) == []
    notices.event("message", received(2), 5)
    notices.event("message", received(3), 5)
    assert len(notices.due(5 + HOLD)) == 1
    notices.event("message", seen(2), 8)
    assert notices.due(8) == []
    notices.event("message", seen(3), 8)
    assert notices.wait(8) == 0
    assert [notice.summary for notice in notices.due(8)] == [""]


@pytest.mark.parametrize(
    "event",
    [
        received(1, notify=False),
        received(1, older=True),
        received(1, state="seen"),
        {"type": "sent", "message": message(1, direction="out", state="queued")},
        {"type": "state", "message": message(1, direction="out", state="read")},
        {"type": "state", "message": message(1, state="seen")},
        seen(1),
        {"type": "state", "message": message(1)},
        {"type": "missing_filled", "message": message(1)},
    ],
)
def test_what_is_nobodys_news(event):
    notices = Notices()
    notices.event("message", event, 0)
    notices.event("link", {"link": {}}, 0)
    assert notices.due(100) == []


def test_somebody_who_is_blocked_is_silent():
    notices = Notices()
    notices.event("message", received(1), 0)
    notices.event("contact", {"type": "changed", "contact": {**BOB, "state": "blocked"}}, 0.1)
    assert notices.due(100) == []


def test_requests_and_alarms():
    notices = Notices()
    notices.event("message", {"type": "request", "message": message(1, None, request=True)}, 0)
    [notice] = notices.due(HOLD)
    assert "wants to write to you" in notice.summary
    notices.event("contact", {"type": "alarm", "contact": BOB}, 2)
    notices.event("contact", {"type": "changed", "contact": BOB}, 2)
    [notice] = notices.due(2)
    assert notice.urgent
    assert "in doubt" in notice.summary

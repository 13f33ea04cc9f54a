"""Which rows go out next, and when receipts do: the two pure parts of the chat."""

from hypothesis import given
from hypothesis import strategies as st

from kezd.runtime.backoff import BackoffPolicy
from kezd.services.chat.backlog import PROBE, Backlog
from kezd.services.chat.pacing import EAGER, WINDOW, Pacer

ENOUGH = 200
POLICY = BackoffPolicy(first=1.0, ceiling=8.0)


def no_jitter(_low, high):
    return high


def caught_up():
    backlog = Backlog(POLICY, no_jitter)
    backlog.finish(backlog.everything)
    return backlog


def nothing_in_hand(_conversation):
    return False


def test_new_rows_wait_for_the_first_walk_over_everything():
    backlog = Backlog(POLICY)
    assert not backlog.admits(1)
    walk = backlog.everything
    assert not walk.read(7)
    assert not walk.read(None)  # one was turned away meanwhile
    assert walk.read(None)
    backlog.finish(walk)
    assert backlog.admits(1)


def test_a_refused_thread_pauses_longer_each_time_and_alone():
    backlog = caught_up()
    backlog.hold(1, 100.0)
    assert not backlog.admits(1)
    assert backlog.admits(2)
    assert (backlog.is_paused(1, 100.9), backlog.is_paused(1, 101.0)) == (True, False)
    assert backlog.next_due(nothing_in_hand) == 101.0
    assert backlog.ready(100.5, nothing_in_hand) is None
    assert backlog.ready(101.0, lambda conversation: conversation == 1) is None
    walk = backlog.ready(101.0, nothing_in_hand)
    assert (backlog.page_size(walk, 256), backlog.page_size(walk, 256)) == (PROBE, 256)
    backlog.hold(1, 101.0)
    backlog.hold(1, 101.1)  # of the same probe: no longer pause
    assert not backlog.is_current(walk)
    assert backlog.next_due(nothing_in_hand) == 103.0


def test_a_thread_is_free_after_its_walk_or_when_the_link_is_back():
    backlog = caught_up()
    backlog.hold(1, 0.0)
    walk = backlog.ready(1.0, nothing_in_hand)
    assert walk.read(None)
    backlog.finish(walk)
    assert backlog.admits(1)
    backlog.hold(1, 2.0)
    backlog.start_over()
    assert not backlog.is_held(1)
    assert backlog.everything is not None


def test_a_change_of_the_contact_ends_the_pause():
    backlog = caught_up()
    backlog.hold(1, 10.0)
    backlog.hurry(1)
    assert backlog.ready(10.0, nothing_in_hand) is not None
    backlog.hurry(2)


def test_what_found_no_room_is_read_later():
    backlog = caught_up()
    backlog.overflow(50)
    assert backlog.everything.after == 49
    backlog.overflow(51)
    assert not backlog.everything.read(None)


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.0, 0.2)), max_size=60))
def test_no_receipt_waits_longer_than_a_window(arrivals):
    pacer, now = Pacer(ENOUGH), 0.0
    for count, pause in arrivals:
        now += pause
        pacer.owe(count, now)
        assert pacer.delay in (0.0, WINDOW)
        if pacer.delay == 0.0:
            pacer.flush()
            assert not pacer.enough


def test_receipts_are_eager_when_idle_and_patient_under_load():
    pacer = Pacer(ENOUGH)
    for number in range(EAGER):
        pacer.owe(1, 10.0 + number * WINDOW / EAGER / 2)
        assert pacer.delay == 0.0
        pacer.flush()
    pacer.owe(1, 10.0 + WINDOW * 0.9)
    assert pacer.delay == WINDOW
    pacer.owe(ENOUGH, 10.0 + WINDOW * 0.95)
    assert (pacer.enough, pacer.delay) == (True, 0.0)
    pacer.flush()
    pacer.owe(1, 20.0)
    assert pacer.delay == 0.0

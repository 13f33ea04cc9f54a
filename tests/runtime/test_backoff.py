"""Delays grow to the ceiling, stay within their jitter, and start over."""

from kezd.runtime.backoff import Backoff, BackoffPolicy


def test_delays_grow_to_the_ceiling_and_start_over() -> None:
    backoff = Backoff(BackoffPolicy(first=1, ceiling=5), uniform=lambda _low, high: high)
    assert [backoff.next_delay() for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next_delay() == 1


def test_jitter_draws_between_its_bounds_but_not_below_the_floor() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    backoff = Backoff(BackoffPolicy(first=8, ceiling=300, jitter=0.5, floor=5), uniform)
    assert backoff.next_delay() == 5
    assert backoff.next_delay() == 8
    assert asked == [(4, 8), (8, 16)]


def test_the_default_draw_stays_in_range() -> None:
    backoff = Backoff(BackoffPolicy(first=2, ceiling=2))
    assert all(1 <= backoff.next_delay() <= 2 for _ in range(100))

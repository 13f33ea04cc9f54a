"""Trying something inside a transaction and taking it back, its events too."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kezd.store.database import Transaction


@contextmanager
def savepoint(tx: Transaction) -> Iterator[Callable[[], None]]:
    """Yield a function that takes back what was done since the block began; call it at most once."""
    events = len(tx.events)
    tx.execute("SAVEPOINT attempt")

    def take_back() -> None:
        tx.execute("ROLLBACK TO attempt")
        del tx.events[events:]

    yield take_back
    tx.execute("RELEASE attempt")

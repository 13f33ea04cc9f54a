"""One line on stderr that tells how far long work has come.

Not here: deciding whether anybody looks (`Terminal`). Invariants: never wider than the
screen; drawn at most ten times a second; `close` leaves nothing of it. No escape
sequences, so that it needs no colour and no particular terminal.
"""

import time
from collections.abc import Callable
from typing import TextIO

from kez_cli.terminal import show

INTERVAL = 0.1
"""Seconds between two drawings at least."""
SETTLED = 1.0
"""Seconds after which a rate means something."""
BAR = 12
WITH_BAR = 50
"""Columns from which on there is room for it."""
BYTES = "bytes"
_UNITS = ("B", "kB", "MB", "GB", "TB")


def amount(value: float, unit: str) -> str:
    """A number with its unit, bytes in steps of 1000."""
    if unit != BYTES:
        return f"{value:.0f} {unit}".rstrip()
    step = 0
    while value >= 1000 and step < len(_UNITS) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.0f} {_UNITS[step]}" if step == 0 else f"{value:.1f} {_UNITS[step]}"


class Progress:
    """The line. One for each piece of work, which begins with the first `update`."""

    def __init__(
        self, stream: TextIO, columns: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._columns = columns
        self._clock = clock
        self._began: float | None = None
        self._drawn_at = float("-inf")
        self._drawn = ""
        self._text = ""

    def update(self, done: int, total: int | None, text: str, unit: str = "") -> None:
        """Tell how far it is.

        Args:
            done: of the work, in units.
            total: None when nobody knows.
            text: what is done; a new text is a new piece of work.
            unit: what is counted; `bytes` are shown as kB and MB.
        """
        now = self._clock()
        if self._began is None or text != self._text:
            self._began, self._text = now, text
        elif now - self._drawn_at < INTERVAL:
            return
        self._draw(self._line(done, total, unit, now - self._began))
        self._drawn_at = now

    def close(self) -> None:
        """Take the line away; the next `update` begins anew."""
        if self._drawn:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()
        self._began, self._drawn_at, self._drawn = None, float("-inf"), ""

    def _draw(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(len(self._drawn)) + "\r" * (not line))
        self._stream.flush()
        self._drawn = line

    def _line(self, done: int, total: int | None, unit: str, elapsed: float) -> str:
        """As much as fits: what is done stands first, what is least needed goes first."""
        width = max(1, self._columns() - 1)
        parts = [show(self._text)]
        if total:
            if width >= WITH_BAR:
                full = min(BAR, BAR * done // total)
                parts.append(f"[{'=' * full}{' ' * (BAR - full)}]")
            parts.append(f"{min(100, 100 * done // total):3}%")
            parts.append(f"{amount(done, unit)} of {amount(total, unit)}")
        elif done:
            parts.append(amount(done, unit))
        if elapsed >= SETTLED and done and unit:
            rate = done / elapsed
            parts.append(f"{amount(rate, unit)}/s")
            if total and total > done:
                left = round((total - done) / rate)
                parts.append(f"{left // 60}:{left % 60:02} left")
        while len(parts) > 1 and len("  ".join(parts)) > width:
            parts.pop()
        return "  ".join(parts)[:width]

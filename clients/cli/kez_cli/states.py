"""How the state of a claim looks: a symbol, words and a colour for each, and tables of them.

Not here: deciding on a state. Invariants: what could not be checked never looks like what does not hold, in
colour, symbol or words; subjects are ASCII on the screen; nothing is wider than it, except for one name that is.
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from kez_cli.terminal import Terminal, age, plain

OK, NOT_THERE, COULD_NOT, DOES_NOT_HOLD = 0, 5, 7, 8
"""Exit codes (`kez help exit-codes`)."""


class State(NamedTuple):
    """How one status is shown."""

    symbol: str
    ascii: str
    """Where the screen's encoding has no such symbol."""
    words: str
    paint: str
    """Name of the method of `Terminal`."""
    exit_code: int


STATES = {
    "valid": State("✓", "+", "holds", "good", OK),
    "revoked": State("✗", "x", "taken back", "bad", DOES_NOT_HOLD),
    "expired": State("✗", "x", "expired", "bad", DOES_NOT_HOLD),
    "invalid": State("✗", "x", "does not verify", "bad", DOES_NOT_HOLD),
    "subject_mismatch": State("✗", "x", "about somebody else", "bad", DOES_NOT_HOLD),
    "primary_mismatch": State("✗", "x", "names another key", "bad", DOES_NOT_HOLD),
    "fork": State("!", "!", "ALARM: two histories", "bad", DOES_NOT_HOLD),
    "rollback": State("!", "!", "ALARM: history cut", "bad", DOES_NOT_HOLD),
    "not_found": State("○", "o", "no proof there", "bad", NOT_THERE),
    "unreachable": State("?", "?", "could not check", "doubtful", COULD_NOT),
}
"""The statuses of docs/protocol/verification.md."""
UNCHECKED = State("·", ".", "not checked yet", "faint", COULD_NOT)
UNKNOWN = State("?", "?", "of a newer kezd", "doubtful", COULD_NOT)
REASON = 4
"""Columns by which a reason stands to the right."""


class Row(NamedTuple):
    """One claim in a table."""

    subject: str
    status: str | None
    """None: nobody has looked yet."""
    reason: str = ""
    checked_at: int | None = None
    """Unix milliseconds."""
    last_good_at: int | None = None
    last_status: str | None = None
    """What was found when somebody could look."""


def row_of(check: dict[str, Any]) -> Row:
    """The row of a `ClaimCheck` of the API."""
    return Row(
        check["subject"],
        check["status"],
        check["reason"],
        check.get("checked_at"),
        check.get("last_good_at"),
        check.get("last_status"),
    )


def state_of(status: str | None) -> State:
    """How a status is shown; one that is not known is no failure."""
    return UNCHECKED if status is None else STATES.get(status, UNKNOWN)


def exit_code(statuses: Sequence[str | None]) -> int:
    """One exit code of several: what does not hold before what could not be checked, before what is not there."""
    codes = {state_of(status).exit_code for status in statuses}
    return next((code for code in (DOES_NOT_HOLD, COULD_NOT, NOT_THERE) if code in codes), OK)


def mark(terminal: Terminal, state: State) -> str:
    """The symbol in its colour."""
    try:
        state.symbol.encode(sys.stdout.encoding or "ascii")
        symbol = state.symbol
    except (UnicodeEncodeError, LookupError):
        symbol = state.ascii
    return paint(terminal, state, symbol)


def paint(terminal: Terminal, state: State, text: str) -> str:
    """A text in the colour of a state."""
    painted: str = getattr(terminal, state.paint)(text)
    return painted


def when(row: Row, at: int) -> str:
    """How old what is known is; where it could not be checked now, what was known before."""
    if row.checked_at is None:
        return ""
    known = age(row.checked_at, at)
    code = state_of(row.status).exit_code
    if code == COULD_NOT:
        return f"before: {state_of(row.last_status).words}, {known}" if row.last_status else ""
    last_good = f", last good {age(row.last_good_at, at)}" if code != OK and row.last_good_at else ""
    return f"checked {known}{last_good}"


def table(terminal: Terminal, rows: Sequence[Row], at: int) -> None:
    """Print claims: side by side where they fit, one below the other where not.

    Args:
        terminal: where.
        rows: the claims.
        at: Unix milliseconds from which ages count.
    """
    names = [plain(row.subject) for row in rows]
    words = [state_of(row.status).words for row in rows]
    ages = [when(row, at) for row in rows]
    name, word = max(map(len, names), default=0), max(map(len, words), default=0)
    wide = 2 + name + 2 + word + 2 + max(map(len, ages), default=0) <= terminal.columns
    for row, subject, text, known in zip(rows, names, words, ages, strict=True):
        state = state_of(row.status)
        if wide:
            painted = paint(terminal, state, text.ljust(word if known else 0))
            line = f"{mark(terminal, state)} {subject.ljust(name)}  {painted}  {terminal.faint(known)}"
            terminal.line(line.rstrip() if known else line[: line.rindex(painted) + len(painted)])
        else:
            terminal.line(f"{mark(terminal, state)} {subject}")
            terminal.line(f"  {paint(terminal, state, text)}")
            for part in filter(None, known.split(", ")):
                terminal.line(f"  {terminal.faint(part)}")
        if row.reason and state.exit_code != OK:
            _reason(terminal, plain(row.reason))


def _reason(terminal: Terminal, text: str) -> None:
    import textwrap  # only here: it costs start-up time, and most claims hold

    width = min(terminal.columns, 100) - REASON
    for line in textwrap.wrap(text, max(width, 16)):
        terminal.line(" " * REASON + terminal.faint(line))

"""A table of ratios: built by each bench, printed for people, for the documentation, and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

HEADS = ("what", "kezd", "baseline", "ratio", "must", "aim")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its baseline, in the same unit. `must` and `aim` are what we hope for, as text."""

    what: str
    ours: float
    baseline: float | None
    unit: str
    must: str = ""
    aim: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours by the baseline's."""
        return self.ours / self.baseline if self.baseline else None

    def cells(self) -> tuple[str, ...]:
        """As text, one a column."""
        ratio = "" if self.ratio is None else _short(self.ratio)
        baseline = "" if self.baseline is None else f"{_short(self.baseline)} {self.unit}"
        return (self.what, f"{_short(self.ours)} {self.unit}", baseline, ratio, self.must, self.aim)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one title; `notes` say what the baseline is and what was done."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())

    def text(self) -> str:
        """For a terminal."""
        lines = [HEADS, *(row.cells() for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
        body = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        ]
        return "\n".join(["", f"== {self.title}", *(line.rstrip() for line in body), *self.notes])

    def markdown(self) -> str:
        """For the documentation."""
        lines = ["| " + " | ".join(cells) + " |" for cells in (HEADS, *(row.cells() for row in self.rows))]
        lines.insert(1, "|---|--:|--:|--:|---|---|")
        return "\n".join([f"### {self.title}", "", *lines, "", *(f"- {note}" for note in self.notes)])

    def value(self) -> dict[str, Any]:
        """For JSON."""
        rows = [msgspec.to_builtins(row) | {"ratio": row.ratio} for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def _short(number: float) -> str:
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    if abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.3g}"

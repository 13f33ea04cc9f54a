"""Medians, percentiles, and rounds that take turns, so that a noisy minute hits both sides."""

import statistics
from collections.abc import Callable, Mapping, Sequence

Sample = Mapping[str, float]


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` (0 to 1) of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def interleave(cells: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, dict[str, float]]:
    """Run every cell once a round, in turn, and give the median of each figure of each cell.

    The order turns round with each round, so that nobody always follows the same neighbour.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in cells}
    for number in range(rounds):
        names = list(cells)[:: 1 if number % 2 == 0 else -1]
        for name in names:
            samples[name].append(cells[name]())
    return {
        name: {figure: statistics.median(sample[figure] for sample in of_cell) for figure in of_cell[0]}
        for name, of_cell in samples.items()
    }

"""`python -m bench [NAME…]`: run benches, print their tables.

With `--markdown FILE` the tables are put into that file, between the lines
`<!-- bench: begin -->` and `<!-- bench: end -->` if it has them.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import events, graph, history, home, messages, rpc, startup
from bench.machine import Machine
from bench.scale import FULL, QUICK, Scale
from bench.table import Table

BENCHES: Mapping[str, Callable[[Scale], list[Table]]] = {
    "messages": messages.measure,
    "rpc": rpc.measure,
    "events": events.measure,
    "startup": startup.measure,
    "home": home.measure,
    "history": history.measure,
    "graph": graph.measure,
}
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure kezd beside baselines.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHES)} (default: all)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small counts, under a minute: does it all work?"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables into a document")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - BENCHES.keys()
    if unknown:
        parser.error(f"no bench called {', '.join(sorted(unknown))}")
    # As Ctrl-C does: blocks end, and with them every program they started.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    machine, scale = Machine.here(), QUICK if options.quick else FULL
    print(machine.line(), flush=True)
    tables: list[Table] = []
    for name in options.names or BENCHES:
        begun = time.perf_counter()
        for table in BENCHES[name](scale):
            print(table.text(), flush=True)
            tables.append(table)
        print(f"({name}: {time.perf_counter() - begun:.1f} s)", file=sys.stderr, flush=True)
    if options.json:
        figures = {"machine": machine.value(), "tables": [table.value() for table in tables]}
        options.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    if options.markdown:
        _into(options.markdown, "\n\n".join([machine.line(), *(table.markdown() for table in tables)]))
    return 0


def _into(path: Path, text: str) -> None:
    whole = path.read_text() if path.exists() else ""
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}" if begin and end else f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

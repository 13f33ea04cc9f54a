"""The benches run, so that they do not rot. No time is looked at."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLES = {
    "messages": 2,
    "rpc": 3,
    "events": 3,
    "startup": 3,
    "home": 3,
    "history": 1,
    "graph": 3,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_bench_prints_ratios(name, tmp_path):
    figures, document = tmp_path / "figures.json", tmp_path / "document.md"
    document.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n")
    command = ["bench", name, "--quick", "--json", str(figures), "--markdown", str(document)]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=os.environ | {"TMPDIR": "/tmp"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    tables = json.loads(figures.read_text())["tables"]
    assert len(tables) == TABLES[name]
    assert all(row["ours"] for table in tables for row in table["rows"])
    assert all(any(row["ratio"] for row in table["rows"]) for table in tables)
    assert all(f"== {table['title']}" in done.stdout for table in tables)
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert all(f"### {table['title']}" in text for table in tables)

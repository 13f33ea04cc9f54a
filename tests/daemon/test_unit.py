"""The unit that is shipped: systemd understands it, and it starts what it names."""

import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "user" / "kezd.service"


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_the_unit(tmp_path):
    (tmp_path / ".local" / "bin").mkdir(parents=True)
    program = tmp_path / ".local" / "bin" / "kezd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = UNIT.read_text().replace("%h", str(tmp_path))
    unit = tmp_path / "kezd.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

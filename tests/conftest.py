"""What holds for every test: no unexpected ERROR line, and markers that mean what they say.

`needs("program", …)` skips where a program is missing, naming it, and fails there with
CI=true. `soak` tests run only with `--soak` (`pytest -m soak --soak` runs nothing else).
`expects_error("part of the line")` allows an ERROR that the test provokes, and wants to see it.
"""

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kezd.runtime.logs import LogfmtFormatter


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.setFormatter(LogfmtFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "expects_error(text): an ERROR line with this text is part of the test"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if item not in soaks]


def pytest_runtest_setup(item: pytest.Item) -> None:
    beside_python = str(Path(sys.executable).parent)
    path = os.pathsep.join([beside_python, os.environ.get("PATH", os.defpath)])
    wanted = [what for marker in item.iter_markers("needs") for what in marker.args]
    missing = [what for what in wanted if shutil.which(what, path=path) is None]
    if not missing:
        return
    reason = f"this machine has no {', '.join(missing)}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{reason}, and in CI nothing may be missing", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _no_unexpected_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    watcher = _Errors()
    root = logging.getLogger()
    root.addHandler(watcher)
    try:
        yield
    finally:
        root.removeHandler(watcher)
    expected = [text for marker in request.node.iter_markers("expects_error") for text in marker.args]
    unexpected = [line for line in watcher.lines if not any(text in line for text in expected)]
    unseen = [text for text in expected if not any(text in line for line in watcher.lines)]
    if unexpected:
        pytest.fail("logged at ERROR:\n" + "\n".join(unexpected), pytrace=False)
    if unseen:
        pytest.fail(f"expected at ERROR and not seen: {unseen}", pytrace=False)

"""Real home servers for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kezd.testing.home_driver import HomeProcess
from kezd.testing.profile_services import ProfileServices


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeProcess]:
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="kez.test") as process:
        yield process
        assert process.errors() == []


@pytest.fixture(scope="session")
def other_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeProcess]:
    with HomeProcess.start(tmp_path_factory.mktemp("other"), server="other.test") as process:
        yield process
        assert process.errors() == []


@pytest.fixture
def profiles(tmp_path: Path, home: HomeProcess) -> ProfileServices:
    return ProfileServices(tmp_path, home.url, {"kez.test": home.url})

import pytest

from kezd.testing.home_driver import HomeProcess


@pytest.fixture
def home(tmp_path):
    with HomeProcess.start(tmp_path / "home", extra_args=["--quota-interval", "0.2"]) as process:
        yield process
        assert process.errors() == []


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """One home for a module of tests that do not disturb each other."""
    with HomeProcess.start(tmp_path_factory.mktemp("home") / "home") as process:
        yield process
        assert process.errors() == []

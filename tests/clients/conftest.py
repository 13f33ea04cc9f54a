"""Two people and a home server, for every file here that needs somebody to talk to: started once a file."""

import pytest

from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import PeerProcess


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home server for `kez.test`."""
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="kez.test") as home:
        yield home


@pytest.fixture(scope="module")
def pair(tmp_path_factory, home):
    """Alice and Bob, registered, contacts of each other."""
    directory = tmp_path_factory.mktemp("pair")
    with (
        PeerProcess.running(directory / "alice", home_url=home.url) as alice,
        PeerProcess.running(directory / "bob", home_url=home.url) as bob,
    ):
        for peer, name in ((alice, "alice"), (bob, "bob")):
            peer.kez("register", name, "--words-file", str(directory / f"{name}.words"))
        alice.kez("add", "@bob")
        bob.kez("add", "@alice")
        yield alice, bob
        assert alice.errors() == []
        assert bob.errors() == []

"""Peers for a bench: real daemons in their own directories, with or without a home.

Their vaults open with a systemd credential, so that no keyring of this machine is asked. Ready is
what a peer tells the service manager (`READY=1`), so nothing is polled.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import end
from kezd.client.sync import Client
from kezd.testing.home_driver import HomeProcess

PEER = (sys.executable, "-m", "kezd.daemon.main")
SERVER = "kez.test"
NOWHERE = "http://127.0.0.1:9"
READY_SECONDS = 30.0
ONLINE_SECONDS = 20.0
_OF_OTHERS = (
    "PYTHON",
    "KEZD_",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
    "LISTEN_",
    "DBUS_SESSION",
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A running daemon."""

    directory: Path
    pid: int

    @property
    def socket(self) -> Path:
        """Its RPC socket."""
        return self.directory / "run" / "kezd.sock"

    def client(self) -> Client:
        """A connection."""
        return Client.connect(str(self.socket), name="bench", token="full")

    def create_identity(self) -> None:
        """Make a key, and prove that the words were written down."""
        with self.client() as client:
            made = client.call("identity.create")
            words = {str(place): made["words"][place - 1] for place in made["ask"]}
            client.call("identity.confirm", answers=words)

    def state(self) -> str:
        """Of its profile: `empty`, `locked` or `open`."""
        with self.client() as client:
            return str(client.session["state"])

    def wait_online(self) -> None:
        """Until the link to NATS stands.

        Raises:
            RuntimeError: it does not.
        """
        with self.client() as client:
            deadline, links = time.monotonic() + ONLINE_SECONDS, dict[str, str]()
            while time.monotonic() < deadline:
                links = {link["name"]: link["state"] for link in client.call("daemon.health")["links"]}
                if links.get("nats") == "online":
                    return
                time.sleep(0.02)
        raise RuntimeError(f"not online: {links}")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people who know each other, at one home."""

    home: HomeProcess
    alice: Peer
    bob: Peer
    to: str = f"bob@{SERVER}"

    @property
    def sockets(self) -> tuple[str, str]:
        """Alice's and Bob's."""
        return str(self.alice.socket), str(self.bob.socket)


def plain_environment() -> dict[str, str]:
    """The variables of this machine without those that belong to somebody else.

    None of Python's own: where it may not keep compiled modules, every start compiles them anew.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(_OF_OTHERS)}


def environment(directory: Path, *, unlocked: bool = True) -> dict[str, str]:
    """Variables of a peer and its command line in `directory`; not `unlocked`, the vault stays closed."""
    base = plain_environment()
    credentials = {"CREDENTIALS_DIRECTORY": str(_credentials(directory))} if unlocked else {}
    return {
        **base, **credentials,
        "KEZD_HOME": str(directory), "KEZD_HOME_URL": NOWHERE, "KEZD_VAULT_SOURCE": "credential",
    }  # fmt: skip


def _credentials(directory: Path) -> Path:
    place = directory.with_name(directory.name + "-credentials")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place / "kezd.passphrase").write_text("only for the bench")
    return place


@contextmanager
def start_peer(
    directory: Path, variables: Mapping[str, str], command: Sequence[str] = PEER, log: Path | None = None
) -> Iterator[Peer]:
    """Run a peer until the block ends; entered when it is ready. `log` gets its stderr."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kezd-bench-")))
        notices = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notices.bind(str(place / "notify"))
        notices.settimeout(READY_SECONDS)
        log = log or place / "stderr"
        stderr = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            command,
            env={**variables, "NOTIFY_SOCKET": str(place / "notify")},
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
        stack.callback(end, process)
        _wait_ready(notices, process, log)
        yield Peer(directory, process.pid)


def _wait_ready(notices: socket.socket, process: "subprocess.Popen[bytes]", log: Path) -> None:
    try:
        while b"READY=1" not in notices.recv(4096):
            pass
    except TimeoutError as error:
        raise RuntimeError(f"kezd ({process.poll()}) is not ready:\n{log.read_text()[-4000:]}") from error


@contextmanager
def open_alone(directory: Path, more: Mapping[str, str] | None = None) -> Iterator[Peer]:
    """A peer with an identity and no home that could be reached."""
    with start_peer(directory, environment(directory) | dict(more or {})) as peer:
        if peer.state() == "empty":
            peer.create_identity()
        yield peer


@contextmanager
def open_pair(directory: Path, home_arguments: Sequence[str] = ()) -> Iterator[Pair]:
    """Alice and Bob, registered, online, and contacts of each other."""
    with ExitStack() as stack:
        home = stack.enter_context(
            HomeProcess.start(directory / "home", server=SERVER, extra_args=home_arguments)
        )
        peers = []
        for name in ("alice", "bob"):
            place = directory / name
            variables = environment(place) | {"KEZD_HOME_URL": home.url}
            peer = stack.enter_context(start_peer(place, variables))
            peer.create_identity()
            with peer.client() as client:
                client.call("identity.register", handle=name)
            peers.append(peer)
        for peer, other in zip(peers, ("bob", "alice"), strict=True):
            with peer.client() as client:
                client.call("contacts.add", handle=f"@{other}@{SERVER}")
            peer.wait_online()
        yield Pair(home, peers[0], peers[1])

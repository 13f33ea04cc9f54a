"""`make demo`: a first conversation, played with the real programs.

Starts a home server (SQLite and its own nats-server, all on loopback, in a temporary
directory) and two peers, then types `kez` commands as Alice and Bob would, shows what
they print, and checks with `--json` that both sides hold the same messages. Not a
test fixture: it fails, with exit code 1, when a message is missing or any program
logged an ERROR. Leaves nothing behind unless told to keep everything running.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import PeerProcess

PATIENCE_SECONDS = 20
"""How long the demo waits for something that should take milliseconds."""


class DemoError(Exception):
    """What was promised did not happen."""


class Stage:
    """Prints the transcript."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._began = time.monotonic()

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def scene(self, text: str) -> None:
        """A heading."""
        print(f"\n{self._paint('1', text)}", flush=True)

    def note(self, text: str) -> None:
        """What happens outside the terminals."""
        print(self._paint("2", f"  {text}"), flush=True)

    def command(self, who: str, arguments: tuple[str, ...]) -> None:
        """A command line."""
        words = " ".join(f"'{a}'" if " " in a else a for a in arguments)
        print(f"  {self._paint('36', who)} $ kez {words}", flush=True)

    def output(self, text: str) -> None:
        """What the command printed."""
        for line in text.rstrip().splitlines():
            print(f"      {line}", flush=True)

    def done(self) -> None:
        """The last line."""
        seconds = time.monotonic() - self._began
        print(f"\n{self._paint('32', 'Everything arrived, nothing twice.')} ({seconds:.1f} s)", flush=True)


class Person:
    """One side of the conversation: a peer and the name typed at its prompt."""

    def __init__(self, name: str, peer: PeerProcess, stage: Stage) -> None:
        self.name = name
        self.peer = peer
        self._stage = stage

    def types(self, *arguments: str) -> None:
        """Type a command as a person would and show what it prints."""
        self._stage.command(self.name, arguments)
        self._stage.output(self.peer.kez_text(*arguments))

    def asks(self, *arguments: str) -> Any:
        """The same command with --json, unseen."""
        return self.peer.kez(*arguments)

    def sends(self, to: str, text: str) -> str:
        """Send a message and return its id."""
        self._stage.command(self.name, ("send", to, text))
        message = self.asks("send", to, text)["message"]
        self._stage.output(f"{message['state']}  {message['id'][:8]}")
        return str(message["id"])

    def messages(self, contact: str) -> dict[str, dict[str, Any]]:
        """The conversation by message id; fails when an id stands in it twice."""
        items = self.asks("history", contact, "--limit", "100")["items"]
        by_id = {item["id"]: item for item in items}
        if len(by_id) != len(items):
            raise DemoError(f"{self.name} sees a message twice")
        return by_id


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Poll until `condition` holds.

    Raises:
        DemoError: it does not within `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(f"waited {PATIENCE_SECONDS} s in vain: {what}")
        time.sleep(0.05)


def wait_state(person: Person, contact: str, ids: set[str], states: set[str]) -> None:
    """Until the messages `ids` have one of `states` at `person`."""

    def reached() -> bool:
        held = person.messages(contact)
        return all(i in held and held[i]["state"] in states for i in ids)

    wait_until(f"{len(ids)} messages {'/'.join(sorted(states))} at {person.name}", reached)


ARRIVED = {"received", "seen"}
CONFIRMED = {"delivered", "read"}


def meet(stage: Stage, alice: Person, bob: Person, directory: Path) -> None:
    """Both register and add each other."""
    stage.scene("Alice and Bob get a handle each. Their 24 words go to a file here; a person uses paper.")
    for person in (alice, bob):
        words = directory / f"{person.name}-words.txt"
        person.types("register", person.name, "--words-file", str(words))
    stage.scene("They find each other. The safety words are the same on both sides.")
    alice.types("add", "@bob")
    bob.types("add", "@alice")
    safety = [p.asks("contacts", other)["safety_words"] for p, other in ((alice, "@bob"), (bob, "@alice"))]
    if safety[0] != safety[1]:
        raise DemoError("the safety words differ")


def converse(stage: Stage, alice: Person, bob: Person) -> tuple[set[str], set[str]]:
    """The conversation with its interruptions; returns the ids sent by Alice and by Bob."""
    from_alice, from_bob = set[str](), set[str]()
    stage.scene("A conversation, end-to-end encrypted; the server between them only relays.")
    from_alice.add(alice.sends("@bob", "hello Bob, can you read this?"))
    wait_state(bob, "@alice", from_alice, ARRIVED)
    from_bob.add(bob.sends("@alice", "loud and clear, Alice"))
    wait_state(alice, "@bob", from_bob, ARRIVED)

    stage.scene("Bob closes his laptop. Alice writes anyway.")
    bob.peer.stop()
    stage.note("bob's kezd stopped")
    late = alice.sends("@bob", "read this when you are back")
    from_alice.add(late)
    wait_state(alice, "@bob", {late}, {"accepted"})
    bob.peer.start()
    stage.note("bob's kezd started")
    wait_state(bob, "@alice", {late}, ARRIVED)
    wait_state(alice, "@bob", from_alice, CONFIRMED)
    stage.note("the message arrived, and its receipt came back")

    stage.scene("Bob's peer is killed (kill -9) between two messages.")
    from_alice.add(alice.sends("@bob", "one more before the crash"))
    bob.peer.kill()
    stage.note("kill -9")
    from_alice.add(alice.sends("@bob", "and one after it"))
    bob.peer.start()
    stage.note("bob's kezd started")
    from_bob.add(bob.sends("@alice", "did I miss anything?"))
    wait_state(bob, "@alice", from_alice, ARRIVED)
    wait_state(alice, "@bob", from_alice, CONFIRMED)
    wait_state(alice, "@bob", from_bob, ARRIVED)
    return from_alice, from_bob


def check(stage: Stage, alice: Person, bob: Person, from_alice: set[str], from_bob: set[str]) -> None:
    """Both sides hold exactly the same ids, in the order sent."""
    stage.scene("What each of them has now:")
    alice.types("history", "@bob")
    bob.types("history", "@alice")
    expected = from_alice | from_bob
    for person, contact in ((alice, "@bob"), (bob, "@alice")):
        held = set(person.messages(contact))
        if held != expected:
            raise DemoError(
                f"{person.name} has {len(held & expected)} of {len(expected)} messages, {len(held - expected)} more"
            )
    wait_state(bob, "@alice", from_bob, CONFIRMED)


@contextlib.contextmanager
def workplace(*, keep: bool) -> Iterator[Path]:
    """A temporary directory, removed at the end unless kept."""
    directory = Path(tempfile.mkdtemp(prefix="kezd-demo-"))
    try:
        yield directory
    finally:
        if not keep:
            shutil.rmtree(directory)


def play(stage: Stage, directory: Path, *, keep: bool) -> None:
    """The whole demo."""
    stage.scene("A home server for the name kez.test: registry, sigchains, and a nats-server of its own.")
    with contextlib.ExitStack() as running:
        home = running.enter_context(HomeProcess.start(directory / "home", extra_args=("--ack-wait", "2")))
        stage.note(f"kezd-home up: {home.url}, {home.nats_url}")
        people = []
        for name in ("alice", "bob"):
            peer = running.enter_context(PeerProcess.running(directory / name, home_url=home.url))
            stage.note(f"{name}'s kezd: KEZD_HOME={peer.directory}")
            people.append(Person(name, peer, stage))
        alice, bob = people
        meet(stage, alice, bob, directory)
        from_alice, from_bob = converse(stage, alice, bob)
        check(stage, alice, bob, from_alice, from_bob)
        for name, errors in (
            ("home", home.errors()),
            ("alice", alice.peer.errors()),
            ("bob", bob.peer.errors()),
        ):
            if errors:
                raise DemoError(f"{name} logged an ERROR: {errors[0]}")
        stage.done()
        if keep:
            play_on(stage, directory, people)


def play_on(stage: Stage, directory: Path, people: list[Person]) -> None:
    """Tell how to go on by hand, and wait for Ctrl-C."""
    stage.scene(f"Still running, in {directory}. In other terminals:")
    for person in people:
        print(f"  KEZD_HOME={person.peer.directory} {Path(sys.executable).parent / 'kez'} listen")
    print(
        f"  KEZD_HOME={people[0].peer.directory} {Path(sys.executable).parent / 'kez'} send @bob 'hello again'"
    )
    print("Ctrl-C here stops everything and removes it.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def main() -> int:
    """Entry point of `make demo`."""
    parser = argparse.ArgumentParser(description="A first conversation, played with the real programs.")
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running at the end, until Ctrl-C"
    )
    arguments = parser.parse_args()
    stage = Stage(color=sys.stdout.isatty())
    try:
        with workplace(keep=False) as directory:
            play(stage, directory, keep=arguments.keep)
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

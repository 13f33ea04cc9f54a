"""People for end-to-end tests: a real peer process each, and what a front-end would call.

    with World.open(directory) as world:
        alice, bob = world.friends("alice", "bob")
        sent = alice.send("@bob", "hello")
        bob.wait_for("@alice", [sent])

Everything goes through the RPC socket of the real daemon. Waiting is polling with a deadline,
so that it survives the kills that tests provoke. Invariant: a `World` that ends well has found
no ERROR in any log that the test did not announce.
"""

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kezd.client.sync import Client
from kezd.errors import KezdError, Slug
from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import PeerProcess

Json = dict[str, Any]
T = TypeVar("T")

PATIENCE = 30.0
"""Seconds that anything may take on a busy machine."""
POLL = 0.02
ACK_WAIT = 2.0
"""Seconds until the broker gives out again what a killed peer had taken."""
PAGE = 500
GONE = frozenset({Slug.NOT_RUNNING, Slug.STOPPING, Slug.OFFLINE})
ARRIVED = frozenset({"received", "seen"})
CONFIRMED = frozenset({"delivered", "read"})


class BrokenPromiseError(AssertionError):
    """What was promised did not happen."""


def wait_until(what: str, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Poll until `condition` holds.

    Raises:
        BrokenPromiseError: it does not in time.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise BrokenPromiseError(f"waited {patience:g} s in vain: {what}")
        time.sleep(POLL)


def _yes(_confirmation: Json) -> bool:
    """The person is there, and means it."""
    return True


class Person:
    """Somebody with a peer."""

    def __init__(self, name: str, peer: PeerProcess) -> None:
        self.name = name
        self.peer = peer
        self.words: list[str] = []
        self.deaths = 0
        """How often its daemon was found dead."""
        self._client: Client | None = None
        self._life = 0
        """Which of the daemon's lives the connection is to."""

    def call(self, method: str, **params: Any) -> Json:
        """One call on a connection that is kept while it works.

        Raises:
            KezdError: what the daemon answered.
        """
        if self._life != len(self.peer.exit_codes):
            self.hang_up()  # that daemon has gone
        client = self._client or self.peer.client(timeout=PATIENCE)
        client.decide = _yes
        self._client, self._life = None, len(self.peer.exit_codes)
        try:
            result = client.call(method, **params)
        except KezdError as error:
            if error.slug in GONE:
                client.close()
            else:
                self._client = client
            raise
        self._client = client
        return result

    def call_surely(self, method: str, **params: Any) -> Json:
        """The same, again and again while the daemon is away; safe for calls that may run twice."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.call(method, **params)
            except KezdError as error:
                if error.slug not in GONE or time.monotonic() > deadline:
                    raise
            time.sleep(POLL)

    def survive(self, method: str, **params: Any) -> Json:
        """The same, starting a daemon that has killed itself anew (without its crash point)."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.call(method, **params)
            except KezdError as error:
                if error.slug not in GONE or time.monotonic() > deadline:
                    raise
            self.revive()
            time.sleep(POLL)

    def revive(self) -> bool:
        """Start the daemon again if it has ended; whether it had."""
        if self.peer.poll() is None:
            return False
        self.deaths += 1
        self.hang_up()
        self.peer.start()
        return True

    def wait_death(self) -> None:
        """Wait until the daemon has killed itself, and start it anew."""
        wait_until(f"{self.name}'s peer kills itself", lambda: self.peer.poll() is not None)
        self.revive()

    def hang_up(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def make_identity(self, words: int = 24) -> None:
        """Create a key and prove that its words were noted."""
        made = self.call("identity.create", words=words, **self.peer.vault_arguments)
        self.words = made["words"]
        answers = {str(position): self.words[position - 1] for position in made["ask"]}
        self.call("identity.confirm", answers=answers)

    def register(self) -> Json:
        """Bind the person's name at the home and wait until the link stands."""
        identity = self.call("identity.register", handle=self.name)
        self.wait_online()
        return identity

    def add(self, handle: str) -> Json:
        """Make somebody a contact."""
        return self.call("contacts.add", handle=handle)

    def send(self, to: str, text: str, **params: Any) -> str:
        """Queue a text; its id."""
        return str(self.call("chat.send", to=to, text=text, **params)["message"]["id"])

    def message(self, message_id: str) -> Json:
        """One message."""
        message: Json = self.call_surely("chat.message", id=message_id)["message"]
        return message

    def history(self, contact: str) -> list[Json]:
        """The whole conversation in order.

        Raises:
            BrokenPromiseError: a message stands in it twice.
        """
        pages: list[list[Json]] = []
        cursor: str | None = None
        while True:
            page = self.call_surely("chat.history", contact=contact, limit=PAGE, cursor=cursor)
            pages.append(page["items"])
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        items = [item for page_items in reversed(pages) for item in page_items]
        ids = [(item["id"], item["direction"]) for item in items]
        if len(set(ids)) != len(ids):
            raise BrokenPromiseError(f"{self.name} sees a message twice")
        return items

    def received(self, contact: str) -> list[str]:
        """Ids of what came from a contact, in order; empty while there is no such contact."""
        try:
            items = self.history(contact)
        except KezdError as error:
            if error.slug is Slug.NOT_A_CONTACT:
                return []
            raise
        return [item["id"] for item in items if item["direction"] == "in"]

    def wait_for(self, contact: str, ids: Sequence[str], patience: float = PATIENCE) -> None:
        """Wait until exactly these messages of a contact are here, in this order."""
        wait_until(
            f"{len(ids)} messages from {contact} at {self.name}",
            lambda: len(self.received(contact)) >= len(ids),
            patience,
        )
        held = self.received(contact)
        if held != list(ids):
            lost = [i for i in ids if i not in held]
            more = [i for i in held if i not in ids]
            raise BrokenPromiseError(
                f"{self.name} holds {len(held)} of {len(ids)} from {contact}: lost {lost[:5]}, more {more[:5]},"
                f" {'order differs' if not lost and not more else ''}"
            )

    def wait_states(
        self, ids: Sequence[str], states: Collection[str] = CONFIRMED, patience: float = PATIENCE
    ) -> None:
        """Wait until each of these own messages has one of `states`."""
        wait_until(
            f"{len(ids)} messages {'/'.join(sorted(states))} at {self.name}",
            lambda: all(self.message(i)["state"] in states for i in ids),
            patience,
        )

    def health(self) -> Json:
        """The answer of daemon.health."""
        return self.call_surely("daemon.health")

    def link(self, name: str = "nats") -> Json | None:
        """One link as daemon.health tells it."""
        links: list[Json] = self.health()["links"]
        return next((link for link in links if link["name"] == name), None)

    def wait_link(self, *states: str, name: str = "nats", patience: float = PATIENCE) -> None:
        """Wait until a link is in one of these states."""
        wait_until(
            f"{name} {'/'.join(states)} at {self.name}",
            lambda: (self.link(name) or {}).get("state") in states,
            patience,
        )

    def wait_online(self) -> None:
        """Wait until messages can go."""
        self.wait_link("online")

    def dropped(self) -> dict[str, int]:
        """What was dropped, by cause."""
        counts: dict[str, int] = self.health()["dropped"]
        return counts


class World:
    """A home, and people at it; more homes may be added."""

    def __init__(self, directory: Path, ground: ExitStack, stack: ExitStack) -> None:
        self.directory = directory
        self.homes: list[HomeProcess] = []
        self.people: list[Person] = []
        self.expected_errors: list[str] = []
        """Parts of ERROR lines that the test provokes."""
        self._ground = ground
        self._stack = stack

    @classmethod
    @contextmanager
    def open(cls, directory: Path) -> Iterator["World"]:
        """For the length of the block; afterwards the logs are read."""
        with ExitStack() as ground:
            with ExitStack() as stack:
                world = cls(directory, ground, stack)
                yield world
            world.check_logs()

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that must outlive the people, and the reading of their logs."""
        return self._ground.enter_context(context)

    def home(
        self, server: str = "kez.test", *, extra_args: Sequence[str] = (), **options: Any
    ) -> HomeProcess:
        """Start a home server, in a hurry to deliver again what was taken and not acknowledged."""
        directory = self.directory / f"home{len(self.homes)}"
        arguments = ("--ack-wait", str(ACK_WAIT), *extra_args)
        opening = HomeProcess.start(directory, server=server, extra_args=arguments, **options)
        home = self._stack.enter_context(opening)
        self.homes.append(home)
        return home

    def person(self, name: str, home_url: str, **options: Any) -> Person:
        """Start a peer without an identity."""
        directory = options.pop("directory", self.directory / name)
        peer = self._stack.enter_context(PeerProcess.running(directory, home_url=home_url, **options))
        person = Person(name.partition("-")[0], peer)
        self._stack.callback(person.hang_up)
        self.people.append(person)
        return person

    def registered(self, name: str, home_url: str, **options: Any) -> Person:
        """Start a peer and register it under its name."""
        person = self.person(name, home_url, **options)
        person.make_identity()
        person.register()
        return person

    def friends(self, *names: str, home: HomeProcess | None = None, **options: Any) -> list[Person]:
        """Registered people at one home who have all added one another."""
        where = home or (self.homes[0] if self.homes else self.home())
        people = [self.registered(name, where.url, **options) for name in names]
        befriend(*people)
        return people

    def check_logs(self) -> None:
        """Fail on any ERROR that was not announced.

        Raises:
            BrokenPromiseError: with the first of them.
        """
        lines = [(home.directory.name, line) for home in self.homes for line in home.errors()]
        lines += [(person.name, line) for person in self.people for line in person.peer.errors()]
        bad = [
            f"{who}: {line}" for who, line in lines if not any(part in line for part in self.expected_errors)
        ]
        if bad:
            raise BrokenPromiseError("logged at ERROR:\n" + "\n".join(bad[:20]))


def befriend(*people: Person) -> None:
    """Everybody adds everybody else."""
    for person in people:
        for other in people:
            if other is not person:
                person.add(str(other.call("identity.show")["handle"]))


@contextmanager
def elapsed_at_most(seconds: float) -> Iterator[None]:
    """The block must not take longer.

    Raises:
        BrokenPromiseError: it did.
    """
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    if took > seconds:
        raise BrokenPromiseError(f"took {took:.1f} s, {seconds:g} s were allowed")


def kill_nats(home: HomeProcess) -> None:
    """SIGKILL to nats-server, as soon as there is one (home may be starting it again)."""

    def killed() -> bool:
        try:
            home.kill_nats()
        except ProcessLookupError:
            return False
        return True

    wait_until("there is a nats-server", killed)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that neither runs nor ends for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def shifted(home: HomeProcess, clock_offset: float) -> Iterator[HomeProcess]:
    """A stopped home, running again on its directory and ports with a clock that is wrong."""
    ports = {"--bind": home.url, "--internal-bind": home.internal_url, "--nats-bind": home.nats_url}
    arguments = [word for flag, url in ports.items() for word in (flag, urlsplit(url).netloc)]
    arguments += ["--ack-wait", str(ACK_WAIT)]
    with HomeProcess.start(home.directory, clock_offset=clock_offset, extra_args=arguments) as again:
        yield again

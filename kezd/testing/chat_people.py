"""Two or more chats on real databases, for tests of the chat service alone.

`Book` stands in for the contacts service: it keeps its contacts in the same database and
in the same transactions, so that what is rolled back is rolled back here too, but it looks
nothing up and verifies no chain.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes

from kezd.api.events import Topic
from kezd.errors import RequestError, Slug, error_for
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PublicKey, Seed
from kezd.kez.sealed import VERSION
from kezd.kez.sender_tag import inbox_prefix
from kezd.kez.signing import Signer
from kezd.runtime.bus import Bus
from kezd.runtime.clock import Clock, SystemClock
from kezd.runtime.settings import ChatSettings
from kezd.services.chat import Chat
from kezd.services.chat.sealing import Entropy
from kezd.services.ports import MessageTransport, Route, Sender
from kezd.store.database import Database, Transaction
from kezd.testing.memory_pipe import MemoryBroker, MemoryPipe, Weather

DATABASE_KEY = bytes(range(32))


class MovableClock:
    """The machine's clock, moved by hand as well."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.ahead = 0.0
        """Seconds that both clocks have been moved."""
        self.wall_ahead = 0.0
        """Seconds that somebody has set the wall clock alone."""

    def now(self) -> float:
        """Unix seconds."""
        return self._clock.now() + self.ahead + self.wall_ahead

    def monotonic(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic() + self.ahead


class Book:
    """A `ContactBook` on the database's `meta` table."""

    def __init__(self, db: Database, url: str) -> None:
        self._db = db
        self._url = url
        self.looked_up: list[PublicKey] = []
        self._names: dict[str, PublicKey] = {}

    async def put(self, key: PublicKey, handle: str | None, state: str, trouble: Slug | None = None) -> None:
        """Write a contact, and say so as the contacts service does."""

        def write(tx: Transaction) -> None:
            _write(tx, key, {"handle": handle, "state": state, "trouble": trouble and trouble.value})
            event = {"type": "changed", "contact": {"genesis": key.primary, "state": state}}
            tx.emit(Topic.CONTACT.value, event)

        await self._db.write(write)

    def named(self, tx: Transaction, name: str) -> PublicKey:
        """By handle or primary."""
        if name in self._names:
            return self._names[name]
        for key, contact in _all(tx):
            if name in (key.primary, contact["handle"]):
                self._names[name] = key
                return key
        raise RequestError(Slug.NOT_A_CONTACT)

    def route(self, tx: Transaction, genesis: PublicKey) -> Route:
        """To the inbox on the one broker."""
        contact = _read(tx, genesis)
        if contact is None:
            raise RequestError(Slug.NOT_A_CONTACT)
        if contact["trouble"] is not None:
            raise error_for(Slug(contact["trouble"]))
        if contact["state"] != "accepted":
            raise RequestError(Slug.BLOCKED if contact["state"] == "blocked" else Slug.REQUEST_PENDING)
        return Route(genesis, genesis, self._url, inbox_prefix(genesis), "0", (VERSION,), contact["handle"])

    def route_by_name(self, tx: Transaction, name: str) -> Route:
        """To the inbox of whom the name names."""
        return self.route(tx, self.named(tx, name))

    def sender(self, tx: Transaction, key: PublicKey) -> Sender:
        """A contact, or a new request."""
        known = self.known(tx, key)
        if known is not None:
            return known
        _write(tx, key, {"handle": None, "state": "request", "trouble": None})
        tx.emit(
            Topic.CONTACT.value, {"type": "request", "contact": {"genesis": key.primary, "state": "request"}}
        )
        return Sender(key, None, "request")

    def known(self, tx: Transaction, genesis: PublicKey) -> Sender | None:
        """A contact."""
        contact = _read(tx, genesis)
        return None if contact is None else Sender(genesis, contact["handle"], contact["state"] or "")

    def wants_lookup(self, genesis: PublicKey) -> None:
        """Remember that it was asked for."""
        self.looked_up.append(genesis)


_Contact = dict[str, str | None]


def _write(tx: Transaction, key: PublicKey, contact: _Contact) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", ("book:" + key.primary, json.dumps(contact))
    )


def _read(tx: Transaction, key: PublicKey) -> _Contact | None:
    row = tx.one("SELECT value FROM meta WHERE key = ?", ("book:" + key.primary,))
    return None if row is None else json.loads(row[0])


def _all(tx: Transaction) -> list[tuple[PublicKey, _Contact]]:
    rows = tx.all("SELECT key, value FROM meta WHERE key LIKE 'book:%'")
    return [(parse_primary(row[0].removeprefix("book:")), json.loads(row[1])) for row in rows]


@dataclass
class Running:
    """A chat that is open."""

    chat: Chat
    book: Book
    db: Database
    pipe: MessageTransport

    async def texts(self, contact: "Person") -> list[str | None]:
        """Every text with a contact, in order."""
        items: list[str | None] = []
        cursor = None
        while True:
            page = await self.chat.history(contact.signer.public.primary, 100, cursor)
            items = [message.text for message in page.items] + items
            cursor = page.next_cursor
            if cursor is None:
                return items

    async def states(self, contact: "Person") -> list[str]:
        """Every message's state with a contact, in order."""
        page = await self.chat.history(contact.signer.public.primary, 500)
        return [message.state for message in page.items]


@dataclass
class Person:
    """Somebody with a key and a directory."""

    number: int
    directory: Path
    broker: MemoryBroker
    clock: Clock = field(default_factory=SystemClock)
    settings: ChatSettings = field(default_factory=ChatSettings)
    friends: "list[Person]" = field(default_factory=list)
    restored_at: float | None = None
    weather: Weather | None = None
    entropy: Entropy = token_bytes

    def __post_init__(self) -> None:
        self.signer = Signer(Seed(self.number.to_bytes(32, "big")))
        self.handle = f"person{self.number}@home.test"

    @asynccontextmanager
    async def database(self) -> AsyncIterator[tuple[Database, Book]]:
        """The person's database with their friends in it."""
        async with Database.open(
            self.directory / f"peer{self.number}.db", DATABASE_KEY, self.clock, Bus()
        ) as db:
            book = Book(db, self.broker.url)
            for friend in self.friends:
                if await db.read(lambda tx, key=friend.signer.public: book.known(tx, key)) is None:  # type: ignore[misc]
                    await book.put(friend.signer.public, friend.handle, "accepted")
            yield db, book

    @asynccontextmanager
    async def online(self) -> AsyncIterator[Running]:
        """The person's chat on the broker."""
        inbox = inbox_prefix(self.signer.public)
        async with (
            self.database() as (db, book),
            MemoryPipe.open(self.broker, inbox, self.clock, self.weather) as pipe,
            Chat.open(
                db,
                pipe,
                self.signer,
                book,
                self.clock,
                self.settings,
                restored_at=self.restored_at,
                entropy=self.entropy,
            ) as chat,
        ):
            yield Running(chat, book, db, pipe)


def befriend(*people: Person) -> None:
    """Everybody has everybody as a contact."""
    for person in people:
        person.friends = [other for other in people if other is not person]

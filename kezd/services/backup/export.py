"""A person's own data in files that need no kezd: JSON lines for programs, text for people.

Not encrypted, and says so in its README. Invariants: foreign names never become paths
(sanitised, and the key's first digits behind them); foreign text cannot hide or reorder
lines; memory does not grow with the history; nothing readable lies anywhere else meanwhile.
"""

import io
import re
import tarfile
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import trio

from kezd.api import types as t
from kezd.kez.identifiers import parse_primary
from kezd.runtime.passed_file import PassedFile
from kezd.services.backup.backups import Report, Reporter, opened_target
from kezd.store import sigchains
from kezd.store.backup.container import Sink
from kezd.store.database import Database

PAGE: Final = 500
PART: Final = 4 * 1024 * 1024
"""Characters of a conversation that go into one file, about."""
DIRECTORY: Final = "kez-export"
NAME_LENGTH: Final = 60
KEY_DIGITS: Final = 8
_UNSAFE = re.compile(r"[^a-z0-9_.@-]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

README = """\
What kezd kept for {who}, as of {when}.

THESE FILES ARE NOT ENCRYPTED. Everybody who can read them can read your messages.
They hold no keys: nobody can become you with them, and they cannot be restored
from. `kez backup create` makes what can be restored.

identity.json            your identity: primary key, handle, home server
sigchain.jsonl           your sigchain, one signed event a line, as others verify it
contacts.jsonl           your contacts, one JSON object a line
conversations/NAME.jsonl one message a line, oldest first
conversations/NAME.txt   the same to be read by people; times are UTC
                         (long ones go on in NAME.2.jsonl and so on)

Members of messages:
  id          128 random bits, the same on both sides
  contact     the contact's first key, which stays when handle and key change
  direction   in or out
  kind        text; others may come with later versions
  text        what was written
  sent_at     by the sender's clock, milliseconds since 1970-01-01 UTC
  arrived_at  the same by the clock of your kezd
  state       out: queued, accepted, delivered, read, failed; in: received, seen
  position    order inside the conversation
NAME is the contact's handle with everything unusual replaced by _, and the first
digits of the contact's key.
"""


class Written(msgspec.Struct, frozen=True):
    """Counts of what was written."""

    files: int
    messages: int
    conversations: int
    contacts: int


class ExportedContacts(Protocol):
    """The contacts as clients see them."""

    async def list(self, limit: int, cursor: str | None) -> t.ContactsResult:
        """A page."""
        ...


class ExportedChat(Protocol):
    """The conversations as clients see them."""

    async def conversations(self, limit: int, cursor: str | None) -> t.ConversationsResult:
        """A page of threads."""
        ...

    async def oldest_first(
        self, contact: str, after: tuple[int, int], limit: int
    ) -> tuple[list[t.Message], tuple[int, int]]:
        """Messages that follow a place, and the place of the last of them."""
        ...


async def create_export(
    db: Database,
    contacts: ExportedContacts,
    chat: ExportedChat,
    identity: t.IdentityResult,
    target: Path | PassedFile,
    now: float,
    report: Report,
) -> Written:
    """Write everything as a tar archive to a new file, or into one that is open already.

    Raises:
        RequestError: `file_exists`.
        StoreError: `disk_full`, `file_failed`.
    """

    def work() -> Written:
        with opened_target(target) as file:
            stream: Any = _Stream(file)  # a stream is only written to; tarfile's types ask for more
            with tarfile.open(fileobj=stream, mode="w|") as archive:
                return _Export(archive, int(now), Reporter(report)).run(db, contacts, chat, identity)

    return await trio.to_thread.run_sync(work)


class _Stream:
    """As much of a file as tarfile's streams want."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        return len(data)


class _Export:
    """One export under way, in a thread; what it asks of services runs in Trio's."""

    def __init__(self, archive: tarfile.TarFile, now: int, reporter: Reporter) -> None:
        self._archive = archive
        self._now = now
        self._progress = reporter.steps("writing conversations", 0, 1)
        self._files = 0
        self._messages = 0

    def run(
        self, db: Database, contacts: ExportedContacts, chat: ExportedChat, identity: t.IdentityResult
    ) -> Written:
        who = visible(identity.handle or identity.primary or "an empty profile")
        self._add("README.txt", README.format(who=who, when=_time(self._now)))
        self._add("identity.json", _json(identity))
        if identity.primary is not None:
            genesis = parse_primary(identity.primary)
            chain = trio.from_thread.run(db.read, lambda tx: sigchains.load_jsonl(tx, genesis))
            self._add("sigchain.jsonl", chain.decode())
        people = trio.from_thread.run(_all_contacts, contacts)
        self._add("contacts.jsonl", "".join(_json(person) for person in people))
        threads = trio.from_thread.run(_all_threads, chat)
        for number, thread in enumerate(threads):
            self._progress(number, len(threads))
            self._conversation(chat, thread)
        return Written(self._files, self._messages, len(threads), len(people))

    def _conversation(self, chat: ExportedChat, thread: t.Conversation) -> None:
        """In parts of a bounded size, since an archive names the size of a file before its content."""
        name = file_name(thread.handle, parse_primary(thread.contact).hex)
        other = visible(thread.handle or thread.contact)
        place, part, size = (-1, -1), 1, 0
        lines: list[str] = []
        texts: list[str] = []
        more = True
        while more:
            messages, place = trio.from_thread.run(chat.oldest_first, thread.contact, place, PAGE)
            more = len(messages) == PAGE
            for message in messages:
                lines.append(_json(message))
                texts.append(_for_people(message, other))
                size += len(lines[-1])
            self._messages += len(messages)
            if size >= PART or not more:
                number = "" if part == 1 else f".{part}"
                self._add(f"conversations/{name}{number}.jsonl", "".join(lines))
                self._add(f"conversations/{name}{number}.txt", "".join(texts))
                lines, texts, size, part = [], [], 0, part + 1

    def _add(self, name: str, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        member = tarfile.TarInfo(f"{DIRECTORY}/{name}")
        member.size, member.mtime, member.mode = len(data), self._now, 0o600
        self._archive.addfile(member, io.BytesIO(data))
        self._files += 1


async def _all_contacts(contacts: ExportedContacts) -> list[t.Contact]:
    found: list[t.Contact] = []
    cursor: str | None = None
    while True:
        page = await contacts.list(PAGE, cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


async def _all_threads(chat: ExportedChat) -> list[t.Conversation]:
    """All of them, although a thread that gets a message moves to the front while the pages are read."""
    found: dict[str, t.Conversation] = {}
    more = True
    while more:
        more, cursor = False, None
        while True:
            page = await chat.conversations(PAGE, cursor)
            new = {thread.contact: thread for thread in page.items if thread.contact not in found}
            found |= new
            more = more or bool(new)
            cursor = page.next_cursor
            if cursor is None:
                break
    return list(found.values())


def file_name(handle: str | None, key: str) -> str:
    """A name that is safe on every file system, and one contact's alone."""
    readable = _UNSAFE.sub("_", (handle or "unknown").lower())[:NAME_LENGTH].lstrip(".-")
    return f"{readable or 'unknown'}-{key[:KEY_DIGITS]}"


def visible(text: str) -> str:
    r"""Foreign text without what moves, reorders or hides: written as `\u{…}`; line feeds stay."""
    return "".join(
        c
        if c == "\n" or unicodedata.category(c) not in _HIDDEN or c in "\u200d\ufe0f"
        else f"\\u{{{ord(c):x}}}"
        for c in text
    )


def _for_people(message: t.Message, other: str) -> str:
    who = "me" if message.direction == "out" else other
    text = f"[{message.kind}]" if message.text is None else visible(message.text)
    notes = [f"{message.missing_before} missing before"] if message.missing_before else []
    notes += [message.state] if message.state in ("queued", "failed") else []
    tail = f"  ({', '.join(notes)})" if notes else ""
    body = text.replace("\n", "\n    ")
    return f"{_time(message.sent_at / 1000)}  {who}: {body}{tail}\n"


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # a sender's word
        return "????-??-?? ??:??:??"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode() + "\n"

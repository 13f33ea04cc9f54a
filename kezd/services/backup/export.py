"""A person's own data in files that need no kezd: JSON lines for programs, text for people.

Not encrypted, and says so in its README. Invariants: foreign names never become paths
(sanitised, and the key's first digits behind them); foreign text cannot hide or reorder
lines; what is written appears whole, under a name that was free; nobody waits for it.
"""

import re
import shutil
import tarfile
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, Protocol

import msgspec
import trio

from kezd.api import types as t
from kezd.kez.identifiers import parse_primary
from kezd.runtime.new_file import file_error, new_file, refuse_existing, sync_directory
from kezd.store import sigchains
from kezd.store.database import Database

PAGE: Final = 500
NAME_LENGTH: Final = 60
KEY_DIGITS: Final = 8
_UNSAFE = re.compile(r"[^a-z0-9_.@-]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

Report = Callable[[int, int, str], None]

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
    path: Path,
    now: float,
    report: Report,
    *,
    tar: bool,
) -> Written:
    """Write everything to `path`, a new directory or tar file.

    Raises:
        RequestError: `file_exists`.
        StoreError: `disk_full`, `file_failed`.
    """
    refuse_existing(path)
    directory = path.with_name(f"{path.name}.{token_hex(4)}.part")
    try:
        export = _Export(directory, report)
        written = await export.run(db, contacts, chat, identity, now)
        await trio.to_thread.run_sync(_finish, directory, path, tar)
    except OSError as error:
        raise file_error(error, f"cannot write {path}") from error
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(lambda: shutil.rmtree(directory, ignore_errors=True))
    return written


class _Export:
    """One export under way."""

    def __init__(self, directory: Path, report: Report) -> None:
        self._directory = directory
        self._report = report
        self._files = 0
        self._messages = 0

    async def run(
        self,
        db: Database,
        contacts: ExportedContacts,
        chat: ExportedChat,
        identity: t.IdentityResult,
        now: float,
    ) -> Written:
        await trio.to_thread.run_sync(self._make_directories)
        who = identity.handle or identity.primary or "an empty profile"
        await self._write("README.txt", [README.format(who=visible(who), when=_time(now))])
        await self._write("identity.json", [_json(identity)])
        if identity.primary is not None:
            genesis = parse_primary(identity.primary)
            chain = await db.read(lambda tx: sigchains.load_jsonl(tx, genesis))
            await self._write("sigchain.jsonl", [chain.decode()])
        people = await _all_contacts(contacts)
        await self._write("contacts.jsonl", [_json(person) for person in people])
        threads = await _all_threads(chat)
        for number, thread in enumerate(threads):
            self._report(number, len(threads), "writing conversations")
            await self._conversation(chat, thread)
        return Written(self._files, self._messages, len(threads), len(people))

    async def _conversation(self, chat: ExportedChat, thread: t.Conversation) -> None:
        name = file_name(thread.handle, parse_primary(thread.contact).hex)
        other = visible(thread.handle or thread.contact)
        place = (-1, -1)
        self._files += 2
        while True:
            messages, place = await chat.oldest_first(thread.contact, place, PAGE)
            lines = [_json(message) for message in messages]
            texts = [_for_people(message, other) for message in messages]
            await trio.to_thread.run_sync(self._append, f"conversations/{name}.jsonl", lines)
            await trio.to_thread.run_sync(self._append, f"conversations/{name}.txt", texts)
            self._messages += len(messages)
            if len(messages) < PAGE:
                return

    async def _write(self, name: str, texts: Iterable[str]) -> None:
        self._files += 1
        await trio.to_thread.run_sync(self._append, name, texts)

    def _make_directories(self) -> None:
        self._directory.mkdir(mode=0o700)
        (self._directory / "conversations").mkdir(mode=0o700)

    def _append(self, name: str, texts: Iterable[str]) -> None:
        path = self._directory / name
        with path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(texts)
        path.chmod(0o600)


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
    return f"{readable}-{key[:KEY_DIGITS]}"


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


def _finish(directory: Path, path: Path, tar: bool) -> None:
    """Give what was written its name."""
    if tar:
        with new_file(path) as file, tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(directory, arcname="kez-export", filter=_nobodys)
        return
    for found in directory.rglob("*"):
        sync_directory(found) if found.is_dir() else None
    refuse_existing(path)
    directory.rename(path)
    sync_directory(path.parent)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member

"""Reading what was said: works without a link, an identity key or a network.

Not here: changing anything. Cursors are opaque to clients; a page costs the same in a
million messages as in ten.
"""

import base64
import binascii
import struct
from functools import partial

from kezd.api.types import Conversation, ConversationsResult, Message, MessageResult, MessagesResult
from kezd.errors import RequestError, Slug
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PRIMARY_PREFIX, PublicKey
from kezd.services.chat.shape import STANDINGS, Names, Standing
from kezd.services.ports import ContactBook
from kezd.store import conversations, drops, messages, outbox, receipts, streams
from kezd.store.conversations import Conversation as Thread
from kezd.store.database import Database, Transaction

PAGE_MAX = 500
FIRST_PAGE = 50
_MESSAGE_ID_SIZE = 16
_PLACE = struct.Struct(">QQ")
_ONWARD = struct.Struct(">BQQ")
"""A place again, in a cursor that goes the other way."""
_ONWARD_MARK = 1
_THREAD = struct.Struct(">Q")


def _encode(form: struct.Struct, *numbers: int) -> str:
    return base64.urlsafe_b64encode(form.pack(*numbers)).decode().rstrip("=")


def _decode(form: struct.Struct, cursor: str) -> tuple[int, ...]:
    try:
        numbers = form.unpack(base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (binascii.Error, struct.error, ValueError) as error:
        raise RequestError(Slug.INVALID_ARGUMENT, "`cursor` is not one of this list") from error
    if max(numbers) >= 2**63:
        raise RequestError(Slug.INVALID_ARGUMENT, "`cursor` is not one of this list")
    return numbers


def _onward(after: int, cursor: str | None) -> tuple[int, int]:
    """The (position, row) after which a page of `after` begins.

    Raises:
        RequestError: `invalid_argument` for what is no position, and for a cursor of pages of another kind.
    """
    if not 0 <= after < 2**63:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "`after` is the position of a message, or 0",
            detail={"field": "after"},
        )
    if cursor is None:
        return after, 2**63 - 1
    mark, position, row = _decode(_ONWARD, cursor)
    if mark != _ONWARD_MARK or position <= after:
        raise RequestError(Slug.INVALID_ARGUMENT, "`cursor` is not one of this list")
    return position, row


def _bounded(limit: int) -> int:
    if limit < 1:
        raise RequestError(Slug.INVALID_ARGUMENT, "`limit` is at least 1")
    return min(limit, PAGE_MAX)


class ChatHistory:
    """The conversations of one profile, read only."""

    def __init__(self, db: Database, contacts: ContactBook) -> None:
        self._db = db
        self._contacts = contacts

    async def history(
        self, contact: str, limit: int = 50, cursor: str | None = None, after: int | None = None
    ) -> MessagesResult:
        """Messages with a contact, newest page first, in order within the page (at most 500).

        With `after`, a position: those with a greater one, oldest page first.

        Raises:
            RequestError: `not_a_contact`, `invalid_argument`.
        """
        size = _bounded(limit)
        if after is not None:
            onward = _onward(after, cursor)
            return await self._db.read(partial(self._history_onward, contact, size, onward))
        before = None if cursor is None else _decode(_PLACE, cursor)
        return await self._db.read(partial(self._history, contact, size, before))

    def _history(
        self, contact: str, limit: int, before: tuple[int, ...] | None, tx: Transaction
    ) -> MessagesResult:
        thread = conversations.find(tx, self._contacts.named(tx, contact).raw)
        if thread is None:
            return MessagesResult(items=[])
        rows = messages.page(tx, thread.id, None if before is None else (before[0], before[1]), limit)
        names = Names(tx, self._contacts)
        more = _encode(_PLACE, rows[-1].position, rows[-1].row) if len(rows) == limit else None
        return MessagesResult(items=[names.message(row) for row in reversed(rows)], next_cursor=more)

    def _history_onward(
        self, contact: str, limit: int, after: tuple[int, int], tx: Transaction
    ) -> MessagesResult:
        thread = conversations.find(tx, self._contacts.named(tx, contact).raw)
        rows = [] if thread is None else messages.page_after(tx, thread.id, after, limit)
        names = Names(tx, self._contacts)
        full = len(rows) == limit
        more = _encode(_ONWARD, _ONWARD_MARK, rows[-1].position, rows[-1].row) if full else None
        return MessagesResult(items=[names.message(row) for row in rows], next_cursor=more)

    async def oldest_first(
        self, contact: str, after: tuple[int, int], limit: int
    ) -> tuple[list[Message], tuple[int, int]]:
        """Messages of a thread (named by its genesis primary) that follow a place, and the last one's place."""
        genesis = parse_primary(contact)
        return await self._db.read(partial(self._oldest_first, genesis.raw, after, _bounded(limit)))

    def _oldest_first(
        self, genesis: bytes, after: tuple[int, int], limit: int, tx: Transaction
    ) -> tuple[list[Message], tuple[int, int]]:
        thread = conversations.find(tx, genesis)
        rows = [] if thread is None else messages.page_after(tx, thread.id, after, limit)
        names = Names(tx, self._contacts)
        place = (rows[-1].position, rows[-1].row) if rows else after
        return [names.message(row) for row in rows], place

    async def message(self, message_id: str) -> MessageResult:
        """One message by its id, 32 hex digits.

        Raises:
            RequestError: `not_found`, `invalid_argument`.
        """
        try:
            raw = bytes.fromhex(message_id)
        except ValueError as error:
            raise RequestError(Slug.INVALID_ARGUMENT, "`id` is 32 hex digits") from error
        if len(raw) != _MESSAGE_ID_SIZE:
            raise RequestError(Slug.INVALID_ARGUMENT, "`id` is 32 hex digits")
        return await self._db.read(partial(self._message, raw))

    def _message(self, message_id: bytes, tx: Transaction) -> MessageResult:
        row = messages.by_id(tx, message_id)
        if row is None:
            raise RequestError(Slug.NOT_FOUND, "there is no message of that id")
        return MessageResult(message=Names(tx, self._contacts).message(row))

    async def conversations(self, limit: int = 50, cursor: str | None = None) -> ConversationsResult:
        """Threads, latest first (at most 500).

        Raises:
            RequestError: `invalid_argument`.
        """
        before = None if cursor is None else _decode(_THREAD, cursor)[0]
        return await self._db.read(partial(self._conversations, _bounded(limit), before))

    def _conversations(self, limit: int, before: int | None, tx: Transaction) -> ConversationsResult:
        threads = conversations.page(tx, before, limit)
        more = None
        if len(threads) == limit:
            more = _encode(_THREAD, threads[-1].last_message or 0)
        return ConversationsResult(
            items=[item for thread in threads if (item := self._conversation(thread, tx))], next_cursor=more
        )

    def latest(self, tx: Transaction) -> ConversationsResult:
        """The first page of threads, in somebody else's transaction."""
        return self._conversations(FIRST_PAGE, None, tx)

    def conversation(self, genesis: PublicKey, tx: Transaction) -> Conversation | None:
        """The thread with a contact as a list shows it, in somebody else's transaction; None where it would not."""
        thread = conversations.find(tx, genesis.raw)
        return None if thread is None or thread.last_message is None else self._conversation(thread, tx)

    def _conversation(self, thread: Thread, tx: Transaction) -> Conversation | None:
        contact = self._contacts.known(tx, PublicKey(thread.genesis))
        if contact is None:
            return None
        names = Names(tx, self._contacts)
        names.put(thread.id, contact.genesis, contact.handle)
        last = None if thread.last_message is None else messages.by_row(tx, thread.last_message)
        return Conversation(
            contact=PRIMARY_PREFIX + thread.genesis.hex(),
            handle=contact.handle,
            state=STANDINGS[Standing(contact.state)],
            unread=thread.unread,
            last=None if last is None else names.message(last),
            missing=thread.missing,
        )

    async def dropped(self) -> dict[str, int]:
        """What came in and was not kept, by cause, since the database began."""
        return await self._db.read(drops.by_cause)

    async def waiting(self) -> dict[str, int]:
        """How much waits: `queued`, `undelivered`, `receipts`, `undecoded`."""
        return await self._db.read(_waiting)


def _waiting(tx: Transaction) -> dict[str, int]:
    counts = outbox.waiting(tx)
    return {
        "queued": counts.queued,
        "undelivered": counts.undelivered,
        "receipts": counts.receipts + receipts.count(tx),
        "undecoded": streams.count_undecoded(tx),
    }

"""`kez.rpc.<me>.session`: one live installation per device, and what it may do today.

The identity is the subject token, which nats-server enforced, never the body. A takeover raises
the fencing generation first (compare-and-set, on disk), then the older consumer goes, the new
one comes, and the other connections of the identity are kicked; interrupted anywhere, the same
request done again completes it. The answer goes to the reply subject that the server made, and
nowhere else.
"""

import asyncio
import logging
import re
import weakref
from collections import Counter
from typing import Any

import msgspec
from nats.aio.msg import Msg

from kezd.home.auth_callout import Grants
from kezd.home.errors import HomeUnavailableError, HttpError, Slug
from kezd.home.identities import Identities
from kezd.home.inboxes import Inboxes
from kezd.home.metrics import Metrics
from kezd.home.nats_admin import NatsAdmin
from kezd.home.policy import DEVICE, Kind, Limits, consumer_name
from kezd.home.quota import SenderQuota
from kezd.home.store.ports import SessionStore, StoredSession
from kezd.home.tag_keys import TagKeys
from kezd.home.task_pool import TaskPool
from kezd.kez.errors import KezError
from kezd.kez.keys import PublicKey
from kezd.kez.sender_tag import inbox_prefix
from kezd.runtime.clock import Clock

log = logging.getLogger(__name__)

QUEUE = "home"
SERVICE_REPLY = "_R_."
OF_ONE_AT_ONCE = 4
VERSION = 1
INSTALLATION_ID = re.compile(r"[0-9a-f]{32}")


class SessionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an installation asks."""

    installation_id: str
    takeover: bool = False
    v: int = VERSION


class Sessions:
    """Grants sessions and answers with today's terms."""

    def __init__(
        self,
        identities: Identities,
        sessions: SessionStore,
        inboxes: Inboxes,
        admin: NatsAdmin,
        tag_keys: TagKeys,
        quota: SenderQuota,
        grants: Grants,
        limits: Limits,
        clock: Clock,
        *,
        guests: bool,
    ) -> None:
        self._identities = identities
        self._sessions = sessions
        self._inboxes = inboxes
        self._admin = admin
        self._tag_keys = tag_keys
        self._quota = quota
        self._grants = grants
        self._limits = limits
        self._clock = clock
        self._guests = guests
        self._locks: weakref.WeakValueDictionary[bytes, asyncio.Lock] = weakref.WeakValueDictionary()

    async def answer(self, identity: PublicKey, payload: bytes) -> dict[str, Any]:
        """One request's answer.

        Raises:
            HttpError: bad_request, not_registered or superseded.
            HomeUnavailableError: NATS is away.
        """
        request = _decode(payload, self._limits.max_rpc_payload)
        if not await self._identities.is_registered(identity):
            if not self._guests:
                raise HttpError(404, Slug.NOT_REGISTERED, "this key has no handle here", "register it first")
            return await self._terms(Kind.GUEST, identity, "")
        lock = self._locks.setdefault(identity.raw, asyncio.Lock())
        async with lock:
            session = await self._hold(identity, request)
        terms = await self._terms(Kind.IDENTITY, identity, request.installation_id)
        return terms | {
            "generation": session.generation,
            "consumer": consumer_name(identity, session.generation),
            "inbox": inbox_prefix(identity),
            "device": DEVICE,
        }

    async def _hold(self, identity: PublicKey, request: SessionRequest) -> StoredSession:
        """Make the asking installation the live one, or say that another one is."""
        stored = await self._sessions.current(identity.raw)
        if stored is not None and stored.installation_id == request.installation_id:
            await self._inboxes.ensure_consumer(identity, stored.generation)
            return stored
        if stored is not None and not request.takeover:
            raise _superseded()
        session = StoredSession((stored.generation if stored else 0) + 1, request.installation_id)
        if not await self._sessions.advance(identity.raw, session):
            raise _superseded()
        log.info("session granted", extra={"generation": session.generation})
        await self._inboxes.ensure_consumer(identity, session.generation)
        if stored is not None:
            await self._kick_others(identity, request.installation_id)
        return session

    async def _kick_others(self, identity: PublicKey, installation_id: str) -> None:
        current = await self._identities.current_key(identity)
        others = [c for c in await self._admin.connections(current.nkey) if c.name != installation_id]
        await self._admin.kick(others)

    async def _terms(self, kind: Kind, sender: PublicKey, installation_id: str) -> dict[str, Any]:
        now, limits = self._clock.now(), self._limits
        until = self._grants.until(sender, installation_id)
        allowed = await self._quota.may_send(sender)
        sending: dict[str, Any] = {"allowed": allowed}
        if not allowed:
            sending["reason"] = "quota"
        return {
            "v": VERSION,
            "kind": kind.value,
            "tags": [
                {"tag": dated.tag, "from": dated.valid_from, "until": dated.valid_until}
                for dated in await self._tag_keys.tags(sender)
            ],
            "now": now,
            "jwt_expires_in": max(0.0, until - now) if until is not None else limits.jwt_ttl / 2,
            "sending": sending,
            "limits": {
                "max_message": limits.max_message,
                "pending_per_inbox": limits.pending_per_inbox,
                "pending_messages": limits.pending_messages,
                "pending_bytes": limits.pending_bytes,
            },
        }


class SessionService:
    """The NATS side of `Sessions`: one task a request, so that a slow takeover holds nobody up."""

    def __init__(self, sessions: Sessions, tasks: TaskPool, metrics: Metrics) -> None:
        self._sessions = sessions
        self._tasks = tasks
        self._metrics = metrics
        self._in_hand: Counter[str] = Counter()

    async def on_message(self, message: Msg) -> None:
        """Handler of the STORE subscription."""
        if not message.reply.startswith(SERVICE_REPLY):
            self._metrics.session("no_reply")
            return
        who = message.subject.split(".")[2]
        if self._in_hand[who] >= OF_ONE_AT_ONCE:  # or one person's takeovers would keep everybody waiting
            self._metrics.session("busy")
            return
        self._in_hand[who] += 1
        if not self._tasks.spawn(self._serve(who, message)):
            self._let_go(who)
            self._metrics.session("busy")

    async def _serve(self, who: str, message: Msg) -> None:
        try:
            answer = await self._answer(who, message.data)
        finally:
            self._let_go(who)
        self._metrics.session(str(answer.get("error") or answer["kind"]))
        await message.respond(msgspec.json.encode(answer))

    def _let_go(self, who: str) -> None:
        self._in_hand[who] -= 1
        if not self._in_hand[who]:
            del self._in_hand[who]

    async def _answer(self, identity: str, payload: bytes) -> dict[str, Any]:
        try:
            return await self._sessions.answer(PublicKey.from_hex(identity), payload)
        except HttpError as error:
            return {"error": error.error.value, "message": error.message, "hint": error.hint}
        except HomeUnavailableError as error:
            log.warning("session not served", extra={"reason": str(error)})
            hint = "try again in a moment"
            return {"error": Slug.UNAVAILABLE.value, "message": "the message store is away", "hint": hint}
        except KezError as error:
            return {"error": Slug.BAD_REQUEST.value, "message": str(error), "hint": ""}


def _decode(payload: bytes, max_bytes: int) -> SessionRequest:
    if len(payload) > max_bytes:
        raise HttpError(413, Slug.BAD_REQUEST, f"a request has at most {max_bytes} bytes")
    try:
        request = msgspec.json.decode(payload, type=SessionRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HttpError(400, Slug.BAD_REQUEST, f"not a session request: {error}") from error
    if request.v != VERSION or not INSTALLATION_ID.fullmatch(request.installation_id):
        raise HttpError(400, Slug.BAD_REQUEST, "v is 1 and installation_id 32 lower-case hex digits")
    return request


def _superseded() -> HttpError:
    return HttpError(
        409, Slug.SUPERSEDED, "another installation of this identity is the live one",
        "ask with takeover to make this one the live one",
    )  # fmt: skip

"""How much of the store one sender holds, over all inboxes and all days' tags.

nats-server bounds one tag in one inbox; this bounds a sender over all inboxes. The counts come
from the stream itself, every few seconds. Who is over gets a user JWT without the right to write
(`gate`), and a connection that has one with it is kicked. Bytes are weighed exactly only for
senders whose count could exceed the cap. Inboxes of keys that nobody registered are purged here.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kezd.home.errors import HomeUnavailableError
from kezd.home.identities import Identities
from kezd.home.inboxes import SUBJECT_TOKENS, Inboxes, StreamState
from kezd.home.metrics import Metrics
from kezd.home.nats_admin import Connection, NatsAdmin
from kezd.home.policy import DEVICE, Limits, Refusal
from kezd.home.tag_keys import TagKeys
from kezd.kez.errors import KeyMaterialError
from kezd.kez.keys import PublicKey
from kezd.kez.nkeys import Prefix, decode_public

log = logging.getLogger(__name__)

PURGES_A_ROUND = 500
WILDCARDS = frozenset("*>")
BREATHER = 200
"""Senders weighed before the loop gets its turn."""


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What a tag held: messages, their bytes, and the stream's last number then."""

    messages: int
    weight: int
    last_seq: int


class SenderQuota:
    """What waits by tag, as of the last poll, and who may not write because of it."""

    def __init__(self, tag_keys: TagKeys, limits: Limits) -> None:
        self._tag_keys = tag_keys
        self._limits = limits
        self._messages: Counter[str] = Counter()
        self._weighed: dict[str, _Weighed] = {}
        self.stopped: set[PublicKey] = set()

    def replace(self, messages: Counter[str]) -> None:
        """Take the counts of a new poll; weights of tags that are gone are forgotten."""
        self._messages = messages
        self._weighed = {tag: seen for tag, seen in self._weighed.items() if tag in messages}

    def weigh(self, tag: str, weight: int, last_seq: int) -> None:
        """Note the exact bytes of a tag as it is now; `last_seq` is the stream's of a moment before."""
        self._weighed[tag] = _Weighed(self._messages[tag], weight, last_seq)

    def forget_weight(self, tag: str) -> None:
        """This tag is too short to matter."""
        self._weighed.pop(tag, None)

    def weighed_at(self, tag: str) -> int | None:
        """The stream's last number when the tag was weighed, None if its count is another since.

        With the same count and nothing newer under it, a tag has the very messages of then.
        """
        weighed = self._weighed.get(tag)
        return weighed.last_seq if weighed and weighed.messages == self._messages[tag] else None

    async def waiting_tags(self, sender: PublicKey) -> dict[str, int]:
        """The sender's tags that have messages waiting, with their counts."""
        tags = await self._tag_keys.recent_tags(sender)
        return {tag: self._messages[tag] for tag in tags if tag in self._messages}

    async def may_send(self, sender: PublicKey) -> bool:
        """Whether a sender is below its caps; one that was stopped must be clearly below."""
        if not self._messages:
            return True
        share = self._limits.resume_share if sender in self.stopped else 1.0
        tags = await self.waiting_tags(sender)
        messages, weight = sum(tags.values()), sum(self._weight(tag) for tag in tags)
        return (
            messages < self._limits.pending_messages * share and weight < self._limits.pending_bytes * share
        )

    def _weight(self, tag: str) -> int:
        weighed = self._weighed.get(tag)
        return weighed.weight if weighed else 0


class QuotaKeeper:
    """Polls the stream, purges, weighs and kicks."""

    def __init__(
        self,
        quota: SenderQuota,
        inboxes: Inboxes,
        identities: Identities,
        admin: NatsAdmin,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self._quota = quota
        self._inboxes = inboxes
        self._identities = identities
        self._admin = admin
        self._limits = limits
        self._metrics = metrics
        self._seen: StreamState | None = None
        self._registered: set[str] = set()

    async def poll(self) -> None:
        """One round; nothing to do when the stream did not move since the last one.

        Raises:
            HomeUnavailableError: NATS is away.
        """
        state = await self._inboxes.state()
        self._metrics.stream(state.messages, state.bytes)
        if state == self._seen:
            return
        pending = await self._inboxes.pending_by_subject()
        complete = await self._purge_strangers(pending)
        counts: Counter[str] = Counter()
        for nats_subject, count in pending.items():
            counts[nats_subject.rpartition(".")[2]] += count
        self._quota.replace(counts)
        await self._judge(state)
        self._seen = state if complete else None

    async def _judge(self, state: StreamState) -> None:
        crowded = state.messages >= self._limits.pending_messages or state.bytes >= self._limits.pending_bytes
        if not crowded and not self._quota.stopped:
            return
        by_identity: dict[PublicKey, list[Connection]] = {}
        for connection in await self._admin.connections():
            identity = await self._identity(connection.nkey)
            if identity is not None:
                by_identity.setdefault(identity, []).append(connection)
        for number, sender in enumerate(list(by_identity.keys() | self._quota.stopped)):
            if number % BREATHER == 0:
                await asyncio.sleep(0)
            await self._judge_sender(sender, by_identity.get(sender, []), state.last_seq)

    async def _judge_sender(
        self, sender: PublicKey, connections: Iterable[Connection], last_seq: int
    ) -> None:
        tags = await self._quota.waiting_tags(sender)
        could_exceed = sum(tags.values()) * self._limits.max_stored >= self._limits.pending_bytes
        for tag in tags:
            if not could_exceed:
                self._quota.forget_weight(tag)
            elif not await self._is_weighed(tag):
                weight = await self._inboxes.pending_bytes(tag, self._limits.pending_bytes)
                self._quota.weigh(tag, weight, last_seq)
        may_send, was_stopped = await self._quota.may_send(sender), sender in self._quota.stopped
        if may_send and was_stopped:
            self._quota.stopped.discard(sender)
        elif not may_send and not was_stopped:
            self._quota.stopped.add(sender)
            log.warning("sender is over quota", extra={"messages": sum(tags.values())})
        else:
            return
        self._metrics.stopped(len(self._quota.stopped))
        await self._admin.kick(connections)

    async def _is_weighed(self, tag: str) -> bool:
        weighed_at = self._quota.weighed_at(tag)
        return weighed_at is not None and not await self._inboxes.has_newer(tag, weighed_at)

    async def _identity(self, nkey: str) -> PublicKey | None:
        try:
            key = PublicKey(decode_public(nkey, Prefix.USER))
        except KeyMaterialError:
            return None
        identity = await self._identities.identity_of(key)
        return key if isinstance(identity, Refusal) else identity

    async def _purge_strangers(self, pending: dict[str, int]) -> bool:
        """Purge inboxes nobody reads; True when none was left for the next round."""
        strangers: dict[str, list[str]] = {}
        for nats_subject in list(pending):
            inbox = await self._stranger(nats_subject)
            if inbox is not None:
                strangers.setdefault(inbox, []).append(nats_subject)
        for number, (inbox, nats_subjects) in enumerate(strangers.items()):
            if number == PURGES_A_ROUND:
                return False
            purged = await self._inboxes.purge(inbox)
            self._metrics.purged(purged)
            for nats_subject in nats_subjects:
                del pending[nats_subject]
        if strangers:
            log.info("inboxes of unregistered keys purged", extra={"inboxes": len(strangers)})
        return True

    async def _stranger(self, nats_subject: str) -> str | None:
        """What to purge if this is the inbox of nobody."""
        tokens = nats_subject.split(".")
        # A publisher may name the literal token `*`; in a purge it would mean everybody's mail.
        if len(tokens) != SUBJECT_TOKENS or not WILDCARDS.isdisjoint(nats_subject):
            return None
        if not await self._is_registered(tokens[2]):
            return f"kez.inbox.{tokens[2]}.*.*"
        return None if tokens[3] == DEVICE else f"kez.inbox.{tokens[2]}.{tokens[3]}.*"

    async def _is_registered(self, inbox: str) -> bool:
        """Handles are for ever, so an answer of yes is kept."""
        if inbox in self._registered:
            return True
        try:
            identity = PublicKey.from_hex(inbox)
        except KeyMaterialError:
            return False
        registered = await self._identities.is_registered(identity)
        if registered:
            self._registered.add(inbox)
        return registered


async def keep_polling(keeper: QuotaKeeper, interval: float) -> None:
    """Poll every `interval` seconds for ever; a NATS that is away is waited for."""
    while True:
        await asyncio.sleep(interval)
        try:
            await keeper.poll()
        except HomeUnavailableError as error:
            log.info("quota poll skipped", extra={"reason": str(error)})

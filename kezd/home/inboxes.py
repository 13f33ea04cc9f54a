"""The stream KEZ_INBOX and its consumers: JetStream's API as home uses it, and nobody else.

Home alone makes, fills limits into, and purges. The stream is a work queue: an acknowledged
message is gone, and two consumers may not overlap, so an older generation's consumer goes before
the next one's comes. Requests are the JSON API itself over the STORE link.
"""

import logging
from dataclasses import dataclass
from typing import Any

from nats.aio.msg import Msg

from kezd.home.errors import HomeUnavailableError
from kezd.home.nats_config import INBOX_SUBJECTS, STREAM
from kezd.home.nats_link import NatsLink
from kezd.home.policy import DEVICE, Limits, consumer_name
from kezd.kez.keys import PublicKey

log = logging.getLogger(__name__)

NANOSECONDS = 1_000_000_000
MAX_ACK_PENDING = 1024
MAX_WAITING = 8
MAX_CONSUMERS = 150_000
"""Said outright: nats-server 2.15 takes "no limit" as its default of 1,000 a stream."""

DUPLICATE_WINDOW_SECONDS = 120
CONSUMER_NOT_FOUND = 10014
STREAM_NOT_FOUND = 10059
NOT_UNIQUE_ON_WORKQUEUE = 10100
OVERLAPS_ON_WORKQUEUE = 10099
DIRECT_BATCH = 256
DIRECT_BATCH_BYTES = 8 * 1024 * 1024
SUBJECT_TOKENS = 5


class JetStreamError(HomeUnavailableError):
    """JetStream said no."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"JetStream: {description} ({code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class StreamState:
    """How full the stream is: messages, bytes, and the last sequence number given."""

    messages: int
    bytes: int
    last_seq: int


class Inboxes:
    """The stream, on a cluster of `replicas` nodes, of at most `max_bytes` bytes."""

    def __init__(self, link: NatsLink, limits: Limits, max_bytes: int, replicas: int = 1) -> None:
        self._link = link
        self._limits = limits
        self._max_bytes = max_bytes
        self._replicas = replicas

    async def ensure_stream(self) -> None:
        """Create the stream, or bring an existing one to these limits.

        Raises:
            HomeUnavailableError: NATS is away or refuses.
        """
        config = self._stream_config()
        try:
            await self._api(f"STREAM.UPDATE.{STREAM}", config)
        except JetStreamError as error:
            if error.code != STREAM_NOT_FOUND:
                raise
            await self._api(f"STREAM.CREATE.{STREAM}", config)
            log.info("inbox stream created", extra={"max_bytes": self._max_bytes})

    async def ensure_consumer(self, identity: PublicKey, generation: int) -> None:
        """Make the durable of this generation the only one of the identity's device.

        Raises:
            HomeUnavailableError: NATS is away or refuses.
        """
        if generation > 1:
            await self._delete_consumer(consumer_name(identity, generation - 1))
        try:
            await self._create_consumer(identity, generation)
        except JetStreamError as error:
            if error.code not in (NOT_UNIQUE_ON_WORKQUEUE, OVERLAPS_ON_WORKQUEUE):
                raise
            await self._delete_other_generations(identity, generation)
            await self._create_consumer(identity, generation)

    async def state(self) -> StreamState:
        """The totals, cheap."""
        state = (await self._api(f"STREAM.INFO.{STREAM}"))["state"]
        return StreamState(int(state["messages"]), int(state["bytes"]), int(state["last_seq"]))

    async def pending_by_subject(self) -> dict[str, int]:
        """How many messages wait under each NATS subject."""
        found: dict[str, int] = {}
        while True:
            body = {"subjects_filter": INBOX_SUBJECTS, "offset": len(found)}
            answer = await self._api(f"STREAM.INFO.{STREAM}", body)
            page = answer["state"].get("subjects") or {}
            found.update(page)
            if not page or len(found) >= int(answer.get("total", 0)):
                return found

    async def pending_bytes(self, tag: str, enough: int) -> int:
        """Bytes that wait under one sender tag, counted message by message up to `enough`."""
        total, seq = 0, 1
        while total < enough:
            batch = await self._from(tag, seq, DIRECT_BATCH)
            if not batch:
                break
            total += sum(len(message.data) for message in batch)
            seq = int((batch[-1].headers or {})["Nats-Sequence"]) + 1
        return total

    async def has_newer(self, tag: str, seq: int) -> bool:
        """Whether something came under one sender tag after that number."""
        return bool(await self._from(tag, seq + 1, 1))

    async def _from(self, tag: str, seq: int, batch: int) -> list[Msg]:
        body = {
            "seq": seq,
            "next_by_subj": f"kez.inbox.*.*.{tag}",
            "batch": batch,
            "max_bytes": DIRECT_BATCH_BYTES,
        }
        return await self._link.gather(
            f"$JS.API.DIRECT.GET.{STREAM}",
            body,
            is_last=lambda m: bool((m.headers or {}).get("Status")),
            quiet=2.0,
        )

    async def purge(self, nats_subject: str) -> int:
        """Drop everything under a NATS subject (wildcards allowed); how many messages went."""
        answer = await self._api(f"STREAM.PURGE.{STREAM}", {"filter": nats_subject})
        return int(answer.get("purged", 0))

    async def _create_consumer(self, identity: PublicKey, generation: int) -> None:
        name = consumer_name(identity, generation)
        config = {
            "durable_name": name,
            "name": name,
            "filter_subject": f"kez.inbox.{identity.hex}.{DEVICE}.*",
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": int(self._limits.ack_wait * NANOSECONDS),
            "max_ack_pending": MAX_ACK_PENDING,
            "max_waiting": MAX_WAITING,
            "num_replicas": self._replicas,
        }
        body = {"stream_name": STREAM, "config": config}
        await self._api(f"CONSUMER.DURABLE.CREATE.{STREAM}.{name}", body)

    async def _delete_consumer(self, name: str) -> None:
        try:
            await self._api(f"CONSUMER.DELETE.{STREAM}.{name}")
        except JetStreamError as error:
            if error.code != CONSUMER_NOT_FOUND:
                raise

    async def _delete_other_generations(self, identity: PublicKey, generation: int) -> None:
        """A takeover that was interrupted may have left an older consumer than the last one."""
        prefix, keep = f"{identity.hex}_{DEVICE}_", consumer_name(identity, generation)
        offset = 0
        while True:
            answer = await self._api(f"CONSUMER.NAMES.{STREAM}", {"offset": offset})
            names = answer.get("consumers") or []
            for name in names:
                if name.startswith(prefix) and name != keep:
                    await self._delete_consumer(name)
            offset += len(names)
            if not names or offset >= int(answer.get("total", 0)):
                return

    def _stream_config(self) -> dict[str, Any]:
        limits = self._limits
        return {
            "name": STREAM,
            "subjects": [INBOX_SUBJECTS],
            "retention": "workqueue",
            "storage": "file",
            "discard": "new",
            "num_replicas": self._replicas,
            "max_msgs": -1,
            "max_consumers": MAX_CONSUMERS,
            "max_bytes": self._max_bytes,
            "max_msgs_per_subject": limits.pending_per_inbox,
            "discard_new_per_subject": True,
            "max_age": limits.max_age * NANOSECONDS,
            "max_msg_size": limits.max_stored,
            "duplicate_window": DUPLICATE_WINDOW_SECONDS * NANOSECONDS,
            "deny_delete": True,
            # Read by home alone, to weigh a sender's messages: DIRECT.GET is not among what CLIENTS imports.
            "allow_direct": True,
        }

    async def _api(self, call: str, body: Any = None) -> dict[str, Any]:
        answer = await self._link.request_json(f"$JS.API.{call}", body)
        error = answer.get("error")
        if error:
            raise JetStreamError(int(error.get("err_code", 0)), str(error.get("description", "")))
        return answer

"""Where a subscription begins: now, after a place in the log, after a snapshot, or where a consumer stands.

Invariant: every event after `begin` is either kept in the log up to `last`, or comes after it.
"""

import re
from dataclasses import dataclass

from kezd.api import types as t
from kezd.api.events import Topic
from kezd.errors import RequestError, Slug
from kezd.rpc.ports import EventLog

_CONSUMER = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Start:
    """The log's ends, and the seq after which events are sent."""

    first: int
    last: int
    begin: int
    replays: bool
    """Whether what lies between `begin` and `last` was asked for."""
    acked: int | None = None
    snapshot: t.Snapshot | None = None


async def find_start(events: EventLog, params: t.SubscribeParams) -> Start:
    """Look at the log, and at the consumer if one is named (made when there is none of that name).

    The live queue must be open before.

    Raises:
        RequestError: `cannot_replay`; `invalid_argument` for too many consumers.
    """
    since, shown = params.since, None
    if params.snapshot:
        if since is not None:
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                "`snapshot`: it is a place of its own, give it or `since`",
                detail={"field": "snapshot"},
            )
        first, last, shown = await events.snapshot()
    else:
        first, last = await events.bounds()
    if since is not None and (since.epoch != events.epoch or not first - 1 <= since.seq <= last):
        raise _cannot_replay(events.epoch, first, last)
    chosen = since.seq if since is not None else last if params.snapshot else None
    if params.consumer is None:
        begin = last if chosen is None else chosen
        return Start(first, last, begin, since is not None, None, shown)
    acked = await events.consumers.resume(params.consumer, params.topics, last if chosen is None else chosen)
    begin = acked if chosen is None else chosen
    if begin + 1 < first:
        raise _cannot_replay(events.epoch, first, last, acked)
    return Start(first, max(last, begin), begin, begin < last, acked, shown)


def _cannot_replay(epoch: str, first: int, last: int, acked: int | None = None) -> RequestError:
    """Names the gap, and both ways over it."""
    detail = {"epoch": epoch, "first_seq": first, "last_seq": last}
    if acked is None:
        return RequestError(Slug.CANNOT_REPLAY, detail=detail)
    return RequestError(
        Slug.CANNOT_REPLAY,
        f"events {acked + 1} to {first - 1} are gone before this consumer acknowledged them",
        hint=f"go on with `since` {{epoch, seq: {first - 1}}} for what is left, or with `snapshot`; then acknowledge",
        detail={**detail, "acked": acked},
    )


def check_topics(topics: list[str]) -> list[str]:
    """The topics, if all are known.

    Raises:
        RequestError: `invalid_argument` naming the first unknown one.
    """
    known = {topic.value for topic in Topic}
    for topic in topics:
        if topic not in known:
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                f"`topics`: there is no topic of that name; known: {', '.join(sorted(known))}",
                detail={"field": "topics"},
            )
    if not topics:
        raise RequestError(
            Slug.INVALID_ARGUMENT, "`topics` must name at least one", detail={"field": "topics"}
        )
    return topics


def check_consumer(name: str | None) -> str | None:
    """The name, if it is one.

    Raises:
        RequestError: `invalid_argument`.
    """
    if name is not None and not _CONSUMER.fullmatch(name):
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "`consumer` has 1 to 64 characters of A-Z a-z 0-9 . _ -",
            detail={"field": "consumer"},
        )
    return name

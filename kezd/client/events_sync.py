"""Events of a connection without an event loop: iterate them, acknowledge them.

Standard library only. Made by `Client.events`. A subscription that lagged is taken up
again where it was; a named consumer also outlives the daemon: when it goes away, or the
profile is locked, the iteration waits and goes on. Invariant: between the first event handed out and the
last, none is left out, and none is handed out twice.
"""

from typing import TYPE_CHECKING, Any

from kezd.errors import AccessError, RequestError, Slug, UnavailableError

if TYPE_CHECKING:
    from kezd.client.sync import Client

Json = dict[str, Any]

AWAY = frozenset({Slug.NOT_RUNNING, Slug.STOPPING})


class Events:
    """Events as they come: `for event in events`, each `{subscription, epoch, seq, topic, event}`."""

    def __init__(
        self,
        client: "Client",
        topics: list[str],
        since: Json | None,
        consumer: str | None,
        *,
        snapshot: bool,
        follow: bool,
    ) -> None:
        self._client = client
        self._consumer = consumer
        self._wish: Json = {"topics": topics}
        if consumer is not None:
            self._wish["consumer"] = consumer
        if not follow:
            self._wish["follow"] = False
        self._ended = False
        self._name = ""
        self.place: Json = {}
        """After the last event handed out; `since` of a later subscription."""
        self.begun = self._subscribe(since, snapshot=snapshot)
        """The first answer of `events.subscribe`: `seq`, `acked`, `first_seq`, …"""
        self.snapshot: Json | None = self.begun.get("snapshot")
        """What a front-end draws first, if it was asked for."""

    def __iter__(self) -> "Events":
        return self

    def __next__(self) -> Json:
        """The next event.

        Raises:
            StopIteration: everything was sent, and there was no wish to follow.
            UnavailableError: the daemon stopped or went away, and this is no consumer.
            RequestError: `taken_over`, `not_found` when the consumer was forgotten, `cannot_replay`.
        """
        while not self._ended:
            try:
                notice = self._client.next_notice(self._name)
            except UnavailableError as error:
                if self._consumer is None or error.slug not in AWAY:
                    raise
                self._come_back()
                continue
            params: Json = notice["params"]
            if notice["method"] == "events.lagged":
                self._subscribe(self.place)
            elif notice["method"] == "events.ended":
                if self._consumer is not None and params["reason"] == "closed":
                    self._wait_open()
                    continue
                self._ended = True
                refuse_ended(params["reason"])
            else:
                if params["seq"]:
                    self.place = {"epoch": params["epoch"], "seq": params["seq"]}
                return params
        raise StopIteration

    def _subscribe(self, since: Json | None, *, snapshot: bool = False) -> Json:
        wish = self._wish | ({} if since is None else {"since": since})
        wish |= {"snapshot": True} if snapshot else {}
        answer = self._client.call("events.subscribe", **wish)
        self._name = answer["subscription"]
        replayed_from = answer.get("replayed_from")
        seq = answer["seq"] if replayed_from is None else replayed_from - 1
        self.place = {"epoch": answer["epoch"], "seq": seq}
        return answer

    def _wait_open(self) -> None:
        """The profile was locked: go on when somebody has opened it."""
        try:
            self._client.wait_open()
            self._subscribe(self.place)
        except UnavailableError as error:
            if error.slug not in AWAY:
                raise
            self._come_back()

    def _come_back(self) -> None:
        while True:
            self._client.reconnect()
            try:
                self._subscribe(self.place)
            except UnavailableError as error:
                if error.slug not in AWAY:
                    raise
            else:
                return

    def ack(self, seq: int | None = None) -> int:
        """Done with everything up to `seq`, or with everything handed out so far; durable when it returns.

        Where the daemon went away meanwhile, nothing is lost: a later one says the same and more.

        Returns:
            What the consumer has acknowledged.

        Raises:
            RequestError: `not_found` when the consumer was forgotten.
        """
        wanted = self.place["seq"] if seq is None else seq
        while True:
            try:
                acked: int = self._client.call("events.ack", consumer=self._consumer, seq=wanted)["acked"]
            except UnavailableError as error:
                if error.slug not in AWAY:
                    raise
                self._come_back()
            else:
                return acked


def refuse_ended(reason: str) -> None:
    """Raise what the reason of `events.ended` means, unless it means that all is well.

    Raises:
        RequestError: `taken_over`, `not_found`.
        AccessError: `locked`.
    """
    if reason == "complete":
        return
    if reason == "taken_over":
        raise RequestError(Slug.TAKEN_OVER)
    if reason == "closed":
        raise AccessError(Slug.LOCKED, "the profile was locked or removed")
    raise RequestError(Slug.NOT_FOUND, "somebody has forgotten this consumer")

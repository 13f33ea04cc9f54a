"""The client library without an event loop: one connection, one call at a time, standard library only.

For the command line and scripts. Starts fast. Not thread-safe; several programs each have
their own `Client`, the daemon serves them at once.

    with Client.connect(profile="default") as client:
        client.api.chat.send(to="bob@kez.lat", text="hi")
        for event in client.events(["message"]):
            ...
"""

import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kezd.client.wire import (
    API_MAX,
    API_MIN,
    CONFIRMATION,
    DEPRECATED,
    LINE_BYTES,
    PROGRESS,
    disconnected,
    error_from_wire,
    not_running,
    socket_path,
    token_for,
    warn_deprecated,
)
from kezd.errors import Slug, UnavailableError, error_for

if TYPE_CHECKING:
    from kezd.client.calls_sync import Api
    from kezd.client.events_sync import Events

TIMEOUT = 60.0
"""Seconds that an answer may take."""
CONNECT_TIMEOUT = 5.0
RECONNECT_PAUSE = 0.2
"""Seconds between two looks for a daemon that went away."""

PROGRESS_TOKEN = "progress"
"""One is enough: a connection has one call at a time."""

Json = dict[str, Any]
Report = Callable[[int, int | None, str, str], None]
Decide = Callable[[Json], bool | None]


class Client:
    """A connection to a running daemon, initialised."""

    def __init__(self, sock: socket.socket, timeout: float | None, path: str, hello: Json) -> None:
        self._sock = sock
        self._timeout = timeout
        self._buffer = bytearray()
        self._last_id = 0
        self._notifications: deque[Json] = deque()
        self._report: Report | None = None
        self.decide: Decide | None = None
        """Asked when one of this connection's calls waits for a person's yes (`{id, summary, …}`): True and
        False are sent as the answer, which needs the scope `full`; None leaves it to other front-ends."""
        self._path = path
        self._hello = hello
        """Parameters of `session.initialize`."""
        self.session: Json = {}
        """The answer to `session.initialize`."""

    @classmethod
    def connect(
        cls,
        path: str | None = None,
        *,
        profile: str = "default",
        name: str = "kezd.client",
        version: str = "",
        timeout: float | None = TIMEOUT,
        token: str | None = None,
    ) -> "Client":
        """Connect and initialise.

        Args:
            path: the socket; by default where the environment says.
            profile: which identity of the daemon.
            name: of the calling program.
            version: of the calling program.
            timeout: seconds that an answer may take, None for any time.
            token: a token's secret, or `"full"` for the person's own, which a program of theirs may
                read from its file; None for the scope `chat`.

        Raises:
            UnavailableError: `not_running`.
            KezdError: what `session.initialize` answered.
        """
        where = path or socket_path(os.environ)
        hello: Json = {
            "client": {"name": name, "version": version},
            "api": {"min": API_MIN, "max": API_MAX},
            "profile": profile,
        }
        secret = token_for(token, where, os.environ)
        if secret is not None:
            hello["token"] = secret
        client = cls(_dial(where, timeout), timeout, where, hello)
        client.initialize()
        return client

    @classmethod
    def open(cls, path: str | None = None, *, timeout: float | None = TIMEOUT) -> "Client":
        """Connect without initialising: only the bare methods may be called.

        Raises:
            UnavailableError: `not_running`.
        """
        where = path or socket_path(os.environ)
        return cls(_dial(where, timeout), timeout, where, {})

    def initialize(self) -> None:
        """Say who calls; `connect` and `reconnect` do it. A refusal closes the connection.

        Raises:
            KezdError: what `session.initialize` answered.
        """
        try:
            self.session = self.call("session.initialize", **self._hello)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def api(self) -> "Api":
        """Every method as a typed call: `client.api.chat.send(to=…, text=…)`."""
        from kezd.client.calls_sync import Api  # here, as who does not use it starts without it

        return Api(self.call)

    def call(self, method: str, *, descriptors: Sequence[int] = (), **params: Any) -> Json:
        """Call a method and return its result.

        Args:
            method: `noun.verb`.
            descriptors: open files to send along, at most 16; a parameter `{"fd": 0}` means the first
                of them. They stay the caller's to close.
            params: by name.

        Raises:
            KezdError: of the family and slug that the daemon answered.
            UnavailableError: `not_running` when the connection ends, `offline` after the time-out.
        """
        self._last_id += 1
        call_id = self._last_id
        request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
        try:
            self._send(json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode(), descriptors)
        except OSError as error:
            raise self._said_before_hanging_up() from error
        while True:
            message = self._receive()
            if message.get("method") == DEPRECATED:
                warn_deprecated(message["params"])
            elif message.get("method") == PROGRESS:
                self._told(message["params"])
            elif message.get("method") == CONFIRMATION:
                self._confirm(message["params"]["confirmation"])
            elif "method" in message:
                self._notifications.append(message)
            elif message.get("id") in (call_id, None):
                if "error" in message:
                    raise error_from_wire(message["error"])
                result: Json = message["result"]
                return result

    def call_long(self, method: str, report: Report, **params: Any) -> Json:
        """Call a method that may take long: no time-out, and `report` is told how far it is.

        Args:
            method: one that takes `progress_token`.
            report: called with done, total (None when unknown), what is being done, and the unit.
            params: of the method.

        Raises:
            KezdError: as `call`.
        """
        self._report = report
        self._sock.settimeout(None)
        try:
            return self.call(method, progress_token=PROGRESS_TOKEN, **params)
        finally:
            self._report = None
            self._sock.settimeout(self._timeout)

    def _confirm(self, confirmation: Json) -> None:
        """Answer, or wait for who does; the daemon bounds that, and the call's answer says how it went."""
        allow = None if self.decide is None else self.decide(confirmation)
        if allow is None:
            self._sock.settimeout(None)
            return
        self._last_id += 1
        params = {"id": confirmation["id"], "allow": allow}
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": "confirmations.answer", "params": params}
        try:
            self._send(json.dumps(request).encode(), ())
        except OSError as error:
            raise self._said_before_hanging_up() from error

    def _told(self, notice: Json) -> None:
        value = notice["value"]
        if self._report is not None and notice["token"] == PROGRESS_TOKEN:
            self._report(value["done"], value.get("total"), value["text"], value["unit"])

    def _send(self, line: bytes, descriptors: Sequence[int]) -> None:
        data = line + b"\n"
        # With the first byte; what the kernel did not take at once follows without them.
        sent = socket.send_fds(self._sock, [data], list(descriptors)) if descriptors else 0
        self._sock.sendall(data[sent:] if sent else data)

    def events(
        self,
        topics: list[str],
        since: Json | None = None,
        *,
        consumer: str | None = None,
        snapshot: bool = False,
        follow: bool = True,
    ) -> "Events":
        """Subscribe; the result yields events (`{epoch, seq, topic, event}`) as they come, for good.

        A subscription that lagged is taken up again where it was; nothing is left out.

        Args:
            topics: which.
            since: `{epoch, seq}` after which to begin; None for now.
            consumer: a name whose place lasts: begins after what it acknowledged (`ack` of the
                result), and goes on when the daemon went away and came back.
            snapshot: ask for what a front-end draws first (`snapshot` of the result); the events go on from there.
            follow: False ends after what the log has now.

        Raises:
            UnavailableError: `not_running` when the daemon stops or goes away, unless there is a consumer.
            RequestError: `cannot_replay`, `taken_over`.
        """
        from kezd.client.events_sync import Events  # here, as who does not use it starts without it

        return Events(self, topics, since, consumer, snapshot=snapshot, follow=follow)

    def next_notice(self, subscription: str) -> Json:
        """Wait for the next notification of a subscription, `{method, params}`.

        Raises:
            UnavailableError: `stopping` or `not_running`.
        """
        while True:
            message = self._next_notification()
            if message.get("params", {}).get("subscription") == subscription:
                return message

    def _next_notification(self) -> Json:
        """The next one, after what it says about the daemon and the profile was noted."""
        message = self._notifications.popleft() if self._notifications else self._wait_notification()
        method = message.get("method")
        if method == "daemon.stopping":
            raise UnavailableError(Slug.STOPPING)
        if method == "session.changed":
            self.session["state"] = message["params"]["state"]
            if self.session["state"] == "removed":
                raise error_for(Slug.UNKNOWN_PROFILE, "this profile was removed")
        elif method == "events.ended" and message["params"]["reason"] == "closed":
            self.session["state"] = "locked"
        return message

    def wait_open(self) -> None:
        """Wait until the profile of this connection is open; done at once when it is.

        Raises:
            UnavailableError: `stopping` or `not_running`, the daemon went away.
            RequestError: `unknown_profile`, the profile was removed.
        """
        while self.session["state"] != "open":
            self._next_notification()

    @property
    def has_notices(self) -> bool:
        """Whether something the daemon said has arrived already and was not looked at."""
        return bool(self._notifications) or b"\n" in self._buffer

    def reconnect(self) -> None:
        """Wait until a daemon that went away is back with this profile open, and connect as before.

        Raises:
            KezdError: what `session.initialize` answered.
            RequestError: `unknown_profile`, the profile was removed.
        """
        while True:
            self.close()
            time.sleep(RECONNECT_PAUSE)
            try:
                self._sock = _dial(self._path, self._timeout)
                self._buffer.clear()
                self._notifications.clear()
                self.initialize()
                self.wait_open()  # where somebody has to unlock it first
            except UnavailableError as error:
                if error.slug not in (Slug.NOT_RUNNING, Slug.STOPPING):
                    raise
                continue
            return

    def _wait_notification(self) -> Json:
        self._sock.settimeout(None)
        try:
            return self._receive()
        finally:
            self._sock.settimeout(self._timeout)

    def _receive(self) -> Json:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_BYTES:
                raise error_for(Slug.TOO_LARGE, "kezd's answer is too long")
            try:
                data = self._sock.recv(65536)
            except TimeoutError as error:
                raise error_for(Slug.OFFLINE, "kezd did not answer in time", hint="kez doctor") from error
            except OSError as error:
                raise disconnected() from error
            if not data:
                raise disconnected()
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        message: Json = json.loads(line)
        return message

    def _said_before_hanging_up(self) -> Exception:
        """What the daemon wrote before it closed (it refuses some connections at once), or that it closed."""
        try:
            message = self._receive()
        except UnavailableError as error:
            return error
        return error_from_wire(message["error"]) if "error" in message else disconnected()


def _dial(path: str, timeout: float | None) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(CONNECT_TIMEOUT)
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise not_running(path, error) from error
    sock.settimeout(timeout)
    return sock

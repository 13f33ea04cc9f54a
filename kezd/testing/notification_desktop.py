"""A desktop for tests: a real D-Bus, and on it a small real notification service and screen lock.

    with NotificationDesktop.running() as desktop:
        subprocess.run([...], env={**os.environ, **desktop.environ})
        desktop.wait_for(lambda shown: ...)

Not here: anything that draws. The service keeps what it was told; the lock says what the
test has set. One daemon is both the session's bus and the system's.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from jeepney import HeaderFields, Message, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

PATIENCE: Final = 20.0
NOTIFICATIONS: Final = "org.freedesktop.Notifications"
SCREEN_SAVER: Final = "org.freedesktop.ScreenSaver"
LOGIN: Final = "org.freedesktop.login1"


@dataclass(frozen=True, slots=True)
class Shown:
    """A notification that stands on the screen."""

    number: int
    summary: str
    body: str
    urgency: int


class NotificationDesktop:
    """What the services were told; `running` is the only way to one."""

    def __init__(self, address: str, capabilities: list[str]) -> None:
        self.environ = {"DBUS_SESSION_BUS_ADDRESS": address, "DBUS_SYSTEM_BUS_ADDRESS": address}
        self.locked = False
        self.login_locked = False
        self.history: list[Shown] = []
        """Everything that was ever shown, in order."""
        self._capabilities = capabilities
        self._standing: dict[int, Shown] = {}
        self._changed = threading.Condition()

    @classmethod
    @contextmanager
    def running(
        cls, *, capabilities: tuple[str, ...] = ("body", "body-markup")
    ) -> Iterator["NotificationDesktop"]:
        """A bus with the services on it, for the length of the block."""
        daemon = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True
        )
        assert daemon.stdout is not None
        try:
            desktop = cls(daemon.stdout.readline().strip(), list(capabilities))
            connection = open_dbus_connection(desktop.environ["DBUS_SESSION_BUS_ADDRESS"])
            for name in (NOTIFICATIONS, SCREEN_SAVER, LOGIN):
                connection.send_and_get_reply(message_bus.RequestName(name), timeout=PATIENCE)
            thread = threading.Thread(target=desktop._serve, args=(connection,))
            thread.start()
            try:
                yield desktop
            finally:
                daemon.terminate()
                thread.join(PATIENCE)
                connection.close()
        finally:
            daemon.terminate()
            daemon.wait()
            daemon.stdout.close()

    @property
    def standing(self) -> list[Shown]:
        """What is on the screen now."""
        with self._changed:
            return list(self._standing.values())

    def wait_for(self, condition: Callable[[list[Shown]], bool]) -> list[Shown]:
        """Wait until what is on the screen is so; what it is then."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not condition(list(self._standing.values())):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"on the screen: {list(self._standing.values())}")
            return list(self._standing.values())

    def _serve(self, connection: DBusConnection) -> None:
        while True:
            try:
                call = connection.receive()
            except OSError:  # the bus has ended, and with it the test
                return
            if call.header.message_type is MessageType.method_call:
                connection.send(self._answer(call))

    def _answer(self, call: Message) -> Message:
        match call.header.fields[HeaderFields.member]:
            case "GetCapabilities":
                return new_method_return(call, "as", (self._capabilities,))
            case "Notify":
                return new_method_return(call, "u", (self._notify(*call.body),))
            case "CloseNotification":
                with self._changed:
                    self._standing.pop(call.body[0], None)
                    self._changed.notify_all()
                return new_method_return(call)
            case "GetActive":
                return new_method_return(call, "b", (self.locked,))
            case "Get":
                return new_method_return(call, "v", (("b", self.login_locked),))
        return new_error(call, "org.freedesktop.DBus.Error.UnknownMethod")

    def _notify(self, *values: Any) -> int:
        _, replaces, _, summary, body, _, hints, _ = values
        with self._changed:
            number = replaces if replaces in self._standing else len(self.history) + 1
            shown = Shown(number, summary, body, hints["urgency"][1])
            self._standing[number] = shown
            self.history.append(shown)
            self._changed.notify_all()
        return number

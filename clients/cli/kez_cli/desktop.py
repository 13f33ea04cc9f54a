"""The desktop's notification service and its screen lock, over D-Bus.

Not here: what is worth a notification (`notices`). Invariants: no shell and no other program
runs; foreign text is made harmless, and its markup is text; where nobody can say whether
the screen is locked, it counts as locked.
"""

import os
from typing import Any

from jeepney import DBusAddress, DBusErrorResponse, Message, MessageFlag, Properties, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import unwrap_msg

from kez_cli.terminal import show
from kezd.errors import RequestError, Slug

TIMEOUT = 5.0
"""Seconds that a service may take."""
SUMMARY_SHOWN = 100
BODY_SHOWN = 400
"""Characters."""
NORMAL, CRITICAL = 1, 2
BY_THEMSELVES = -1
"""How long they stay is the desktop's choice."""
FAILURES = (OSError, DBusErrorResponse)
"""TimeoutError and a connection that ended are OSErrors."""

_NOTIFICATIONS = DBusAddress(
    "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "org.freedesktop.Notifications"
)
_SCREEN_SAVERS = (
    DBusAddress("/org/freedesktop/ScreenSaver", "org.freedesktop.ScreenSaver", "org.freedesktop.ScreenSaver"),
    DBusAddress("/org/gnome/ScreenSaver", "org.gnome.ScreenSaver", "org.gnome.ScreenSaver"),
)
_SESSION = DBusAddress(
    "/org/freedesktop/login1/session/auto", "org.freedesktop.login1", "org.freedesktop.login1.Session"
)


class Desktop:
    """A connection to the person's session bus."""

    def __init__(self, session: DBusConnection, *, markup: bool) -> None:
        self._session = session
        self._markup = markup

    @classmethod
    def connect(cls) -> "Desktop":
        """Connect, and ask the notification service what it can.

        Raises:
            RequestError: `not_found`, there is no session bus or no such service.
        """
        try:
            session = open_dbus_connection(_session_bus())
            (capabilities,) = _ask(session, new_method_call(_NOTIFICATIONS, "GetCapabilities"))
        except (*FAILURES, KeyError) as error:
            raise RequestError(
                Slug.NOT_FOUND,
                "there is no notification service in this session",
                hint="start kez notify inside a desktop session, or as the unit kezd-notify.service",
            ) from error
        return cls(session, markup="body-markup" in capabilities)

    def notify(self, summary: str, body: str, *, replaces: int = 0, urgent: bool = False) -> int:
        """Show a notification, in place of an earlier one if that is still there; its id.

        Raises:
            OSError, DBusErrorResponse: the service is gone, or refuses.
        """
        hints = {
            "urgency": ("y", CRITICAL if urgent else NORMAL),
            "category": ("s", "im.received"),
            "desktop-entry": ("s", "kez"),
        }
        values: tuple[Any, ...] = (
            "kez",
            replaces,
            "mail-unread",
            _short(summary, SUMMARY_SHOWN),
            self._text(body),
            [],
            hints,
        )
        call = new_method_call(_NOTIFICATIONS, "Notify", "susssasa{sv}i", (*values, BY_THEMSELVES))
        (number,) = _ask(self._session, call)
        return int(number)

    def close(self, number: int) -> None:
        """Take a notification away, if it is still there."""
        try:
            _ask(self._session, new_method_call(_NOTIFICATIONS, "CloseNotification", "u", (number,)))
        except DBusErrorResponse:
            return  # the person has closed it

    def locked(self) -> bool:
        """Whether somebody else may be looking: one that can tell says locked, or none can tell."""
        answers = [self._screen_saver(address) for address in _SCREEN_SAVERS]
        answers.append(_login_session())
        known = [answer for answer in answers if answer is not None]
        return any(known) or not known

    def _screen_saver(self, address: DBusAddress) -> bool | None:
        call = new_method_call(address, "GetActive")
        call.header.flags |= MessageFlag.no_auto_start
        try:
            (active,) = _ask(self._session, call)
        except FAILURES:
            return None
        return bool(active)

    def _text(self, body: str) -> str:
        text = _short(body, BODY_SHOWN)
        if self._markup:
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return text


def _login_session() -> bool | None:
    """What logind says; asked anew each time, because hardly anybody locks a screen between two messages."""
    try:
        with open_dbus_connection("SYSTEM") as system:
            ((_, locked),) = _ask(system, Properties(_SESSION).get("LockedHint"))
    except FAILURES:
        return None
    return bool(locked)


def _session_bus() -> str:
    """Where systemd puts it, for programs that were started without its address."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.environ.get("DBUS_SESSION_BUS_ADDRESS") and runtime.startswith("/"):
        return f"unix:path={runtime}/bus"
    return "SESSION"


def _ask(connection: DBusConnection, call: Message) -> tuple[Any, ...]:
    reply: tuple[Any, ...] = unwrap_msg(connection.send_and_get_reply(call, timeout=TIMEOUT))
    return reply


def _short(text: str, limit: int) -> str:
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return show(cut, lines=True)

"""What both client libraries share: where the socket is, and errors back from the wire.

Standard library only, and little of it: the command line starts with this.
"""
# ruff: noqa: PTH109, PTH110, PTH111, PTH118, PTH119, PTH120 - pathlib would cost the command line start-up time

import os
from collections.abc import Mapping
from typing import Any

from kezd.errors import KezdError, Slug, error_for

API_MIN = 1
API_MAX = 1
DEPRECATED = "rpc.deprecated"
CONFIRMATION = "confirmation.needed"
FULL = "full"
"""In a token's place: the person's own, which is in a file that only they can read."""
PROGRESS = "$/progress"
TOKEN_LENGTH = 256
LINE_BYTES = 64 * 1024 * 1024
"""Longest answer that is read."""

_FALLBACKS = {
    1000: Slug.INVALID_ARGUMENT,
    1100: Slug.FORBIDDEN,
    1200: Slug.OFFLINE,
    1300: Slug.HOME_LIED,
    1400: Slug.STORE_FAILED,
    1500: Slug.INTERNAL,
}
"""By code: what a slug means that this client is too old to know."""


def socket_path(environ: Mapping[str, str]) -> str:
    """Where the daemon of this environment has its socket (the same rules as `kezd.runtime.paths`)."""
    home = environ.get("KEZD_HOME")
    if home:
        return os.path.join(os.getcwd(), os.path.expanduser(home), "run", "kezd.sock")
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return os.path.join(runtime, "kezd", "kezd.sock")
    state = environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):
        user = os.path.expanduser(environ.get("HOME") or "~")
        state = os.path.join(user, ".local", "state")
    return os.path.join(state, "kezd", "run", "kezd.sock")


def token_for(token: str | None, socket: str, environ: Mapping[str, str]) -> str | None:
    """The secret to show: as given, or for `FULL` what the daemon at `socket` wrote for its person, if it did."""
    if token != FULL:
        return token
    try:
        with open(_full_token_path(socket, environ), encoding="ascii") as file:  # noqa: PTH123 - as above
            return file.read(TOKEN_LENGTH).strip() or None
    except (OSError, UnicodeDecodeError):
        return None  # then this connection has what any has, and what it may not do says so


def _full_token_path(socket: str, environ: Mapping[str, str]) -> str:
    """Below the KEZD_HOME that the socket is in, else where `kezd.runtime.paths` has its data."""
    runtime = os.path.dirname(socket)
    beside = os.path.join(os.path.dirname(runtime), "data", "full.token")
    if os.path.basename(runtime) == "run" and os.path.exists(beside):
        return beside
    data = environ.get("XDG_DATA_HOME", "")
    if not data.startswith("/"):
        data = os.path.join(os.path.expanduser(environ.get("HOME") or "~"), ".local", "share")
    return os.path.join(data, "kezd", "full.token")


def error_from_wire(error: Any) -> KezdError:
    """The exception for a JSON-RPC error object, however new or odd the other side is."""
    if not isinstance(error, dict):
        error = {}
    code, message, data = error.get("code"), error.get("message"), error.get("data")
    if not isinstance(data, dict):
        data = {}
    try:
        slug = Slug(data.get("slug"))
    except ValueError:
        slug = _FALLBACKS.get(code, Slug.INTERNAL) if isinstance(code, int) else Slug.INTERNAL
    after = data.get("retry_after_ms")
    return error_for(
        slug,
        str(message or ""),
        hint=str(data.get("hint") or ""),
        retry_after_ms=after if isinstance(after, int) else None,
        detail={key: value for key, value in data.items() if key not in _CONTRACT},
    )


_CONTRACT = frozenset({"slug", "retryable", "retry_after_ms", "hint"})


def warn_deprecated(params: Any) -> None:
    """Pass on what the daemon said about a method that will go, to whoever runs with warnings on."""
    import warnings  # here, as hardly anybody needs it and everybody would wait for it

    text = f"kezd: {params.get('method')} is deprecated, use {params.get('instead')}"
    warnings.warn(text, DeprecationWarning, stacklevel=4)


def not_running(path: str, error: OSError) -> KezdError:
    """The error for a socket where nobody answers."""
    if isinstance(error, PermissionError):
        return error_for(Slug.FORBIDDEN, f"{path} is another user's")
    return error_for(Slug.NOT_RUNNING, detail={"socket": path})


def disconnected() -> KezdError:
    """The error for a connection that ended while it was needed."""
    return error_for(Slug.NOT_RUNNING, "kezd closed the connection", detail={"disconnected": True})

"""Which profile `kez` means when nobody says: the one that `kez profile switch` chose.

A file of one line in kez's own state directory, so that nobody's configuration is
rewritten. Standard library only, and little of it: every command looks here.
"""
# ruff: noqa: PTH103, PTH105, PTH108, PTH109, PTH110, PTH111, PTH118, PTH120, PTH123 - pathlib costs start-up time

import os
from collections.abc import Mapping

from kezd.errors import RequestError, Slug

DEFAULT = "default"
LONGEST = 64


def place(environ: Mapping[str, str]) -> str:
    """The file: below KEZD_HOME when that is set, else in the XDG state directory."""
    home = environ.get("KEZD_HOME")
    if home:
        return os.path.join(os.getcwd(), os.path.expanduser(home), "state", "kez-profile")
    state = environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):
        state = os.path.join(os.path.expanduser(environ.get("HOME") or "~"), ".local", "state")
    return os.path.join(state, "kez", "profile")


def current_profile(environ: Mapping[str, str]) -> str:
    """The profile that is meant: KEZ_PROFILE, else what was chosen, else `default`."""
    named = environ.get("KEZ_PROFILE")
    if named:
        return named
    try:
        with open(place(environ), encoding="utf-8") as file:
            return file.readline(LONGEST).strip() or DEFAULT
    except (OSError, UnicodeDecodeError):
        return DEFAULT


def choose_profile(environ: Mapping[str, str], name: str) -> None:
    """Remember the choice.

    Raises:
        RequestError: it cannot be written.
    """
    path = place(environ)
    try:
        if name == DEFAULT:
            if os.path.exists(path):
                os.unlink(path)
            return
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(name + "\n")
        os.replace(path + ".new", path)
    except OSError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"cannot write {path}: {error.strerror}") from error

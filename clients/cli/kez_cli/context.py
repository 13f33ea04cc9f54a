"""What every command is handed: the options, the terminal, a way to the daemon."""

import argparse
import json
import os
import sys
from typing import Any, cast

from kez_cli.terminal import Terminal, note, show
from kezd import __version__
from kezd.client.sync import Client
from kezd.client.wire import FULL
from kezd.errors import AccessError, RequestError, Slug

Json = dict[str, Any]


class Context:
    """One invocation of `kez`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.terminal = Terminal.of(options.color, quiet=bool(options.json))
        self.json = bool(options.json)
        self._agreed: set[str] = set()

    def connect(self, profile: str | None = None) -> Client:
        """A connection to the daemon, for a `with` block; by default to the profile of the options."""
        profile = profile or self.options.profile
        client = Client.connect(profile=profile, name="kez", version=__version__, token=FULL)
        client.decide = self.decide
        return client

    def confirmed_call(self, client: Client, method: str, **params: Any) -> Json:
        """Call a method that may want a person's yes: asked here, given by `--yes`, or left to others."""
        client.decide = self.decide
        return client.call(method, **params)

    def long_call(self, client: Client, method: str, **params: Any) -> Json:
        """Call a method that may take long and may want a yes, showing how far it is."""
        client.decide = self.decide
        try:
            return client.call_long(method, self.terminal.progress, **params)
        finally:
            self.terminal.end_progress()

    def agree(self, method: str) -> None:
        """The person was asked already, in better words."""
        self._agreed.add(method)

    def decide(self, confirmation: Json) -> bool | None:
        """Yes or no of the person at this terminal; None when there is nobody here."""
        method = confirmation["method"]
        if method in self._agreed or getattr(self.options, "yes", False):
            return True
        self.terminal.end_progress()
        if not self.interactive():
            note(f"kez: waits for a yes: {show(confirmation['summary'])}")
            note("  answer it in another terminal with: kez confirm; in scripts, say it at once with --yes")
            return None
        note(show(confirmation["summary"]))
        if is_yes(input("Go on? [y/N] ")):
            self._agreed.add(method)  # the same command may have to call again, for a passphrase
            return True
        return False

    def print_json(self, value: Any) -> None:
        """One JSON document on one line."""
        self.terminal.line(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def interactive(self) -> bool:
        """Whether a person can be asked something."""
        streams = (sys.stdin, sys.stderr)
        return not self.json and all(stream is not None and stream.isatty() for stream in streams)


def is_yes(typed: str) -> bool:
    """Whether a person typed yes."""
    return typed.strip().lower() in {"y", "yes"}


def read_secret_file(path: str) -> str:
    """The content of a file (`-`: stdin) without its last line feed.

    Raises:
        RequestError: it cannot be read.
    """
    if path == "-":
        return read_stdin()
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs start-up time
            return file.read().rstrip("\n")
    except OSError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"{path} is not UTF-8 text") from error


def read_stdin(limit: int = -1) -> str:
    """All of stdin (at most so many bytes, when a limit is given) without its last line feeds.

    Raises:
        RequestError: there is none, or it is not UTF-8.
    """
    if sys.stdin is None:
        raise RequestError(Slug.INVALID_ARGUMENT, "stdin is closed")
    try:
        data = sys.stdin.buffer.read(limit)
        # The limit may have cut a character in two; whoever gets so much says that it is too much.
        return data.decode(errors="replace" if len(data) == limit else "strict").rstrip("\n")
    except UnicodeDecodeError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, "what came on stdin is not UTF-8 text") from error


def write_new_secret_file(path: str, text: str) -> None:
    """Write a file that did not exist, readable by its owner alone, synced to disk.

    Raises:
        RequestError: it exists, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"cannot write {path}: {error.strerror}") from error


def with_passphrase(context: Context, client: Client, method: str, *, new: bool, **params: Any) -> Json:
    """Call a method that may need the vault's passphrase, asking for it only then.

    Args:
        context: of the command; its `--passphrase-file` is used first.
        client: the connection.
        method: the RPC method, which takes `passphrase`.
        new: ask twice, because a vault is made.
        params: of the method.
    """
    if context.options.passphrase_file:
        params["passphrase"] = read_secret_file(context.options.passphrase_file)
        return client.call(method, **params)
    try:
        return client.call(method, **params)
    except AccessError as error:
        if error.slug is not Slug.PASSPHRASE_NEEDED or not context.interactive():
            raise
        context.terminal.end_progress()
    return client.call(method, passphrase=ask_passphrase(new=new), **params)


def ask_passphrase(*, new: bool) -> str:
    """Ask for the vault's passphrase without showing it.

    Raises:
        RequestError: the two entries of a new one differ, or it is empty.
    """
    import getpass  # only here: most commands never need it

    if not new:
        return getpass.getpass("Passphrase: ")
    note("There is no keyring here, so a passphrase has to protect your key on this machine.")
    first = getpass.getpass("New passphrase: ")
    if not first:
        raise RequestError(Slug.INVALID_ARGUMENT, "the passphrase is empty")
    if getpass.getpass("Once more: ") != first:
        raise RequestError(Slug.INVALID_ARGUMENT, "the two passphrases differ")
    return first


def string(value: Any) -> str:
    """A member that the contract says is a string."""
    return cast("str", value)

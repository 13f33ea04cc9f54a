"""Logs: the standard library's, as one logfmt line each, on stderr and in a rotating file.

`time=… level=… logger=… msg="link is online" link=nats`. What looks like a secret is cut
out of the finished line as the last resort; the first is never to log one. ERROR means
that a human must look, so those are counted for `daemon.health` and the tests.
"""

import logging
import logging.handlers
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import msgspec

FILE_BYTES = 4 * 1024 * 1024
FILES_KEPT = 3

_SECRETS = (
    re.compile(r"\bS[UACNOX][A-Z2-7]{56}\b"),  # nkey seeds
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"),  # JWTs
    re.compile(
        r"(?<![\w+/-])(?=[\w+/-]*[A-Z])[A-Za-z0-9+_-][A-Za-z0-9+/_-]{42}=?(?![\w+/=-])"
    ),  # 32 bytes in base64
)
_LONG_HEX = re.compile(r"(?<![0-9A-Za-z])([0-9a-f]{8})[0-9a-f]{56,}(?![0-9A-Za-z])")
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(line: str) -> str:
    """The line without seeds, tokens and whole keys (of 64 hex digits the first 8 stay)."""
    for pattern in _SECRETS:
        line = pattern.sub("[redacted]", line)
    return _LONG_HEX.sub(r"\1…", line)


def _quote(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    quoted = msgspec.json.encode(text).decode()
    return re.sub(
        r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", lambda c: f"\\u{ord(c[0]):04x}", quoted
    )


class LogfmtFormatter(logging.Formatter):
    """A record as one line; `extra` members become fields, a traceback one quoted field."""

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The line, redacted, without its end."""
        fields = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        fields.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if self._journal:  # the journal has its own time, and takes the level as sd-daemon(3) says
            del fields["time"]
        line = redact(" ".join(f"{key}={_quote(value)}" for key, value in fields.items()))
        return _journal_priority(record.levelno) + line if self._journal else line


def _journal_priority(level: int) -> str:
    for least, priority in (
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
    ):
        if level >= least:
            return f"<{priority}>"
    return "<7>"


class ErrorCounter(logging.Handler):
    """Counts what a human must look at."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """One more."""
        self.count += 1


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """A rotating file that is born 0600."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def close(self) -> None:
        """Close it; lines that a full disk did not take are lost, which is no reason to end with an error."""
        with suppress(OSError):
            super().close()


@contextmanager
def logging_to(
    level: str, file: Path | None, *, stream: TextIO | None = None, journal: bool = False
) -> Iterator[ErrorCounter]:
    """Set up the root logger for the length of the block.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        file: the log file, in a directory that exists; None for no file.
        stream: stderr by default.
        journal: the stream is systemd's journal (`JOURNAL_STREAM` is set).

    Yields:
        The counter of ERROR lines.
    """
    counter = ErrorCounter()
    on_stream = logging.StreamHandler(sys.stderr if stream is None else stream)
    on_stream.setFormatter(LogfmtFormatter(journal=journal))
    handlers: list[logging.Handler] = [counter, on_stream]
    if file is not None:
        rotating = _PrivateRotatingFile(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT)
        rotating.setFormatter(LogfmtFormatter())
        handlers.append(rotating)
    root = logging.getLogger()
    before = root.level
    quiet = logging.getLogger("httpx"), logging.getLogger("httpcore")
    quiet_before = [logger.level for logger in quiet]
    root.setLevel(level.upper())
    for logger in quiet:  # they log every request's URL, handles in the clear, at INFO
        logger.setLevel(logging.WARNING)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield counter
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(before)
        for logger, was in zip(quiet, quiet_before, strict=True):
            logger.setLevel(was)

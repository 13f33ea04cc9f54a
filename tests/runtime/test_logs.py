"""One line a record, no secrets in it, private files, errors counted."""

import io
import logging
import stat
from pathlib import Path

import pytest

from kezd.kez import nkeys
from kezd.runtime.logs import FILE_BYTES, LogfmtFormatter, logging_to, redact

SEED = bytes(range(100, 132))


def line_of(message: str, **extra: object) -> str:
    record = logging.makeLogRecord(
        {"name": "kezd.x", "levelno": 20, "levelname": "INFO", "msg": message, "created": 0.0, **extra}
    )
    return LogfmtFormatter().format(record)


def test_a_record_is_one_logfmt_line() -> None:
    assert line_of("link is online", link="nats", n=3) == (
        'time=1970-01-01T00:00:00.000Z level=info logger=kezd.x msg="link is online" link=nats n=3'
    )
    nasty = line_of("a\nb", foreign='x" level=error \x1b[31m\u202e')
    assert "\n" not in nasty
    assert "\x1b" not in nasty
    assert "\u202e" not in nasty
    assert 'foreign="x\\" level=error \\u001b[31m\\u202e"' in nasty


def test_secrets_are_cut_out() -> None:
    import base64

    nkey_seed = nkeys.encode_seed(nkeys.Prefix.USER, SEED)
    jwt = "eyJ0eXAiOiJKV1QifQ.eyJqdGkiOiJYIn0.c2lnbmF0dXJl"
    for secret in (
        nkey_seed,
        jwt,
        SEED.hex(),
        base64.b64encode(SEED).decode(),
        base64.urlsafe_b64encode(SEED).decode().rstrip("="),
    ):
        assert secret not in redact(f"msg=x key={secret} y=1"), secret
        assert redact(f"key={secret} y=1").endswith(" y=1")
    assert redact("path=/usr/lib/Some/path n=12") == "path=/usr/lib/Some/path n=12"


def test_file_and_stream_and_count(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = logging.getLogger("test.logs")
    with logging_to("info", tmp_path / "kezd.log", stream=stream) as counter:
        log.debug("too quiet")
        log.info("hello", extra={"who": "x"})
        log.warning("hm")
        assert counter.count == 0
    text = (tmp_path / "kezd.log").read_text()
    assert text == stream.getvalue()
    assert "too quiet" not in text
    assert "msg=hello who=x" in text
    assert stat.S_IMODE((tmp_path / "kezd.log").stat().st_mode) == 0o600


@pytest.mark.expects_error("it broke")
def test_errors_are_counted_and_tracebacks_stay_on_the_line() -> None:
    stream = io.StringIO()
    log = logging.getLogger("test.logs")
    with logging_to("info", None, stream=stream, journal=True) as counter:
        try:
            raise ValueError("inner\nlines")
        except ValueError:
            log.exception("it broke")
        assert counter.count == 1
    [line] = stream.getvalue().splitlines()
    assert line.startswith("<3>level=error")
    assert 'traceback="Traceback' in line
    assert "\\nValueError: inner\\nlines" in line


def test_the_file_rotates_and_stays_private(tmp_path: Path) -> None:
    log = logging.getLogger("test.logs")
    with logging_to("info", tmp_path / "kezd.log", stream=io.StringIO()):
        for _ in range(3):
            log.info("x" * (FILE_BYTES // 2))
    files = sorted(tmp_path.iterdir())
    assert len(files) > 1
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files)


def test_a_full_disk_does_not_fail_the_end(tmp_path):
    with logging_to("info", Path("/dev/full"), stream=io.StringIO()):
        logging.getLogger("kezd.test").info("a line that finds no room")

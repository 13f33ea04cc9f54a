"""Times as signed payloads write them: RFC 3339 in UTC, whole seconds, `Z`.

Not here: the clock; and a signed date decides nothing by itself. Invariant: one text for one second, years
1970 to 9999.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from kezd.kez.errors import TimestampError, shown

_FORM: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_LAST: Final = 253_402_300_799  # 9999-12-31T23:59:59Z


def format_timestamp(unix: int) -> str:
    """Write unix seconds as `2026-01-01T00:00:00Z`.

    Raises:
        TimestampError: before 1970 or after 9999.
    """
    if not 0 <= unix <= _LAST:
        raise TimestampError("a time lies between the years 1970 and 9999")
    return _format(int(unix))


# Memos of pure functions, bounded: under load thousands of messages carry the same second.
@lru_cache(maxsize=64)
def _format(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=64)
def _parse(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def parse_timestamp(text: object) -> int:
    """Read `2026-01-01T00:00:00Z` into unix seconds.

    Args:
        text: anything; only a string of exactly this form is taken.

    Raises:
        TimestampError: another form, no such day, or before 1970.
    """
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise TimestampError(f"a time is written like 2026-01-01T00:00:00Z, not {shown(text)}")
    try:
        unix = _parse(text)
    except ValueError as error:
        raise TimestampError(f"there is no such time: {shown(text)}") from error
    if unix < 0:
        raise TimestampError("a time lies between the years 1970 and 9999")
    return unix

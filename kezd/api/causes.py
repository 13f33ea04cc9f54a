"""The causes of a message: why it failed, or why it still waits (`Message.cause`), in one table.

Not errors of calls: those are `kezd.errors.TABLE`; where both have a name, it means the same.
Served by `rpc.discover` (`x-causes`) and printed in `docs/rpc.md`. Standard library only, so
that thin clients may use it. Invariant: services write no cause that has no row here.
"""

from enum import Enum
from typing import NamedTuple


class Cause(Enum):
    """Every cause that a message can have. The value is the stable contract."""

    EXPIRED = "expired"
    DUPLICATE_ID = "duplicate_id"
    TOO_LARGE = "too_large"
    FOREIGN_HOME = "foreign_home"
    INBOX_FULL = "inbox_full"
    HOME_FULL = "home_full"
    QUOTA = "quota"
    NOT_A_CONTACT = "not_a_contact"
    BLOCKED = "blocked"
    REQUEST_PENDING = "request_pending"
    NO_COMMON_VERSION = "no_common_version"
    KEY_CHANGED = "key_changed"
    CHAIN_FORK = "chain_fork"
    CHAIN_ROLLBACK = "chain_rollback"
    CHAIN_INVALID = "chain_invalid"
    NO_ROUTE = "no_route"
    """Any other reason why the contact cannot be written to now."""


class CauseInfo(NamedTuple):
    """One row of the table."""

    final: bool
    """Whether the message has failed; otherwise it waits and is tried again by itself."""
    text: str
    """What it means, for people."""
    hint: str
    """The next step."""


TABLE: dict[Cause, CauseInfo] = {
    Cause.EXPIRED: CauseInfo(True, "nobody fetched it in time", "send it again"),
    Cause.DUPLICATE_ID: CauseInfo(
        True, "the server knows this message's id as somebody else's", "send it again: it gets another id"
    ),
    Cause.TOO_LARGE: CauseInfo(True, "it is larger than the contact's server takes", "send it in parts"),
    Cause.FOREIGN_HOME: CauseInfo(
        True,
        "the contact's home server takes no messages from other homes",
        "its operator can let other homes in",
    ),
    Cause.INBOX_FULL: CauseInfo(
        False, "the contact's inbox is full", "nothing: it is sent when they come back and empty it"
    ),
    Cause.HOME_FULL: CauseInfo(
        False, "the home server's storage is full", "its operator has to make room; then it is sent"
    ),
    Cause.QUOTA: CauseInfo(
        False,
        "too many of your messages wait at the server",
        "nothing: it is sent when some of them were fetched",
    ),
    Cause.NOT_A_CONTACT: CauseInfo(False, "they are no contact of yours any more", "kez add HANDLE"),
    Cause.BLOCKED: CauseInfo(False, "you have blocked them", "kez contacts --accept HANDLE sends it"),
    Cause.REQUEST_PENDING: CauseInfo(
        False, "their request waits for your answer", "kez contacts --accept HANDLE sends it"
    ),
    Cause.NO_COMMON_VERSION: CauseInfo(
        False,
        "the contact reads no message version that we write, or has no inbox yet",
        "one of you has to upgrade kezd; then it is sent",
    ),
    Cause.KEY_CHANGED: CauseInfo(
        False, "the contact's key has changed", "compare safety words, then: kez contacts --trust HANDLE"
    ),
    Cause.CHAIN_FORK: CauseInfo(
        False, "the contact's sigchain has two heads", "kez contacts HANDLE; ask them by another way"
    ),
    Cause.CHAIN_ROLLBACK: CauseInfo(
        False, "the contact's sigchain is shorter than before", "kez contacts HANDLE; ask them by another way"
    ),
    Cause.CHAIN_INVALID: CauseInfo(
        False, "the contact's sigchain does not verify", "kez contacts HANDLE; ask them by another way"
    ),
    Cause.NO_ROUTE: CauseInfo(False, "they cannot be written to now", "kez contacts HANDLE; kez doctor"),
}

_BY_NAME = {cause.value: cause for cause in Cause}


def cause_named(name: str) -> Cause:
    """The cause of that name; `NO_ROUTE` for what has no row of its own."""
    return _BY_NAME.get(name, Cause.NO_ROUTE)

"""What can go wrong in the home server, as its callers tell it apart.

Two families: `HttpError` is an answer (a status, a slug, a sentence, a hint) and never a bug;
`HomeSetupError` stops the program with a sentence that says what the operator can do.
"""

from collections.abc import Mapping
from enum import StrEnum

from kezd.kez.errors import KezError


class Slug(StrEnum):
    """Every error slug that home's HTTP and session RPC can answer with."""

    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BAD_REQUEST = "bad_request"
    BAD_HANDLE = "bad_handle"
    HANDLE_TAKEN = "handle_taken"
    PRIMARY_TAKEN = "primary_taken"
    STALE_DATE = "stale_date"
    SERVER_MISMATCH = "server_mismatch"
    BAD_SIGNATURE = "bad_signature"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    CONFLICT = "conflict"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    SUPERSEDED = "superseded"
    NOT_REGISTERED = "not_registered"
    REFUSED = "refused"


class HomeSetupError(KezError):
    """The home server cannot start as it is set up."""

    slug = "home_setup"

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class HomeUnavailableError(KezError):
    """NATS (or something else that comes back) is away; trying again later is right."""

    slug = "unavailable"


class HttpError(KezError):
    """An answer other than success: status, slug, sentence, hint, and what else the body has."""

    slug = "http"

    def __init__(
        self,
        status: int,
        error: Slug,
        message: str,
        hint: str = "",
        *,
        members: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.hint = hint
        self.members = dict(members or {})
        self.headers = dict(headers or {})

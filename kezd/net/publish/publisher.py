"""What a publisher is: it puts one proof where only the subject can, and takes it away again.

Invariants: before anything is written, the service is asked whose credential that is, and another account than the
subject is refused; a secret is in no error, log or URL; what may have been done is said so.
"""

from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from kezd.kez.envelope import Envelope
from kezd.kez.errors import shown
from kezd.kez.identifiers import Identifier
from kezd.net.fetch.page import FetchError, Page


class PublishError(Exception):
    """The service refused: the credential is wrong, may not do it, or is of another account."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where a proof is.

    Attributes:
        url: for people, and for `proof_url` in the sigchain when it is https.
        handle: what `remove` needs to find it again.
    """

    url: str
    handle: str


class Publisher(Protocol):
    """One account at one service."""

    system: str

    async def publish(self, subject: Identifier, claim: Envelope, now: int) -> Published:
        """Publish; `now` is unix seconds.

        Raises:
            PublishError: refused.
            FetchError: the service could not be asked; it may have been done.
        """
        ...

    async def remove(self, published: Published) -> None:
        """Take it away again; done when it is not there any more.

        Raises:
            PublishError: refused.
            FetchError: the service could not be asked.
        """
        ...


def check(page: Page, *good: int, service: str) -> None:
    """Refuse any other status.

    Raises:
        PublishError: 4xx: another credential is needed.
        FetchError: anything else that was not expected.
    """
    if page.status in good:
        return
    if page.status in {401, 403}:
        raise PublishError(f"{service} does not accept the credential, or it may not do that")
    if 400 <= page.status < 500:
        raise PublishError(f"{service} refuses with status {page.status}")
    raise FetchError(f"{service} answers with status {page.status}")


def check_account(found: str, subject: Identifier, service: str) -> None:
    """Refuse a credential of another account than the subject's.

    Raises:
        PublishError: it is.
    """
    if found.lower() != subject.value.lower():
        raise PublishError(f"that credential of {service} is of {shown(found)}, not of {subject.value}")


def text_of(value: dict[str, Any], name: str, service: str) -> str:
    """A member that the service's answer must have.

    Raises:
        FetchError: it has not.
    """
    text = value.get(name)
    if not isinstance(text, str) or not text:
        _strange(service)
    return text


def _strange(service: str) -> NoReturn:
    raise FetchError(f"{service} answers with another JSON than it should; it may have been done")

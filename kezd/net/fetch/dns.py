"""DNS: TXT records at `_kez.<domain>`, each record's strings joined without separator.

dnspython under Trio. Invariant: "there is no such name or record" is an answer; everything else is not one.
"""

from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from kezd.kez.identifiers import Identifier
from kezd.kez.verification import Place
from kezd.net.fetch.page import FetchError

SECONDS = 8.0
RECORDS = 64
"""TXT records of one name that are looked at."""


class DnsChannel:
    """`dns:<domain>`.

    Args:
        nameservers: addresses to ask; empty for the machine's own.
        port: of the nameservers.
        label: what stands before the domain.
    """

    system = "dns"

    def __init__(self, nameservers: Sequence[str] = (), port: int = 53, label: str = "_kez") -> None:
        self._label = label
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
            self._resolver.port = port

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """See `Channel`."""
        name = f"{self._label}.{subject.value}"
        try:
            answer = await self._resolver.resolve(name, "TXT", lifetime=SECONDS, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.DNSException, OSError) as error:
            raise FetchError(f"the name {name} could not be resolved: {type(error).__name__}") from error
        texts = [b"".join(record.strings).decode("utf-8", "replace") for record in list(answer)[:RECORDS]]
        return tuple(Place(f"TXT {name}", text) for text in texts)

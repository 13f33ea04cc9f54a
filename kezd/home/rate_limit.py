"""A token bucket per address; bounded memory, no clock of its own.

IPv6 addresses count by their /64, which one household gets whole. The oldest address is
forgotten first, and a forgotten one starts full again.
"""

import ipaddress
import math
from collections import OrderedDict

from kezd.home.errors import HttpError, Slug
from kezd.runtime.clock import Clock

REMEMBERED_ADDRESSES = 50_000


class RateLimit:
    """At most `per_minute` requests a minute and address, `burst` of them at once."""

    def __init__(self, per_minute: float, burst: int, clock: Clock) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Count one request.

        Raises:
            HttpError: 429 with Retry-After in whole seconds.
        """
        who, now = _who(address), self._clock.monotonic()
        tokens, seen = self._buckets.pop(who, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - seen) * self._per_second)
        allowed = tokens >= 1
        self._buckets[who] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > REMEMBERED_ADDRESSES:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = math.ceil((1 - tokens) / self._per_second)
            raise HttpError(
                429, Slug.RATE_LIMITED, "too many requests from this address", f"try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )  # fmt: skip


def _who(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address

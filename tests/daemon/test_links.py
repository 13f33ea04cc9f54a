"""What health says of the links, and when the watchdog does not believe them."""

import pytest
import trio

from kezd.daemon.links import SILENCE_LIMIT, WatchedHome, is_heard, link_health
from kezd.errors import KezdError, RequestError, Slug, TrustError, UnavailableError
from kezd.kez.handles import parse_handle
from kezd.runtime.clock import SystemClock
from kezd.runtime.transport import LinkState, LinkStatus

HANDLE = parse_handle("alice@kez.test")


@pytest.mark.parametrize(
    ("state", "since", "heard", "fine"),
    [
        (LinkState.ONLINE, 0, 1000 - SILENCE_LIMIT, True),
        (LinkState.ONLINE, 0, 1000 - SILENCE_LIMIT - 1, False),
        (LinkState.ONLINE, 0, None, False),
        (LinkState.ONLINE, 999, None, True),
        (LinkState.ONLINE, 999, 1, True),
        (LinkState.OFFLINE, 0, None, True),
        (LinkState.SUPERSEDED, 0, 0, True),
    ],
)
def test_a_deaf_link_is_not_believed(state, since, heard, fine):
    assert is_heard(LinkStatus(state, since, heard), 1000) is fine


def test_health_has_ages_not_times():
    health = link_health("nats", LinkStatus(LinkState.ONLINE, 10.0, 99.5, None, 3), 100.0)
    assert (health.since, health.last_received_age_ms, health.queue) == (10_000, 500, 3)
    assert link_health("nats", LinkStatus(LinkState.ONLINE, 1, 101.0), 100.0).last_received_age_ms == 0


class Home:
    """A directory whose answer the test chooses."""

    def __init__(self):
        self.error: KezdError | None = None

    def use(self, server, url):
        """As a directory must."""

    async def lookup(self, handle):
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error


async def test_the_home_link_follows_what_happened():
    home = Home()
    watched = WatchedHome(home, SystemClock())
    assert watched.health().state == "connecting"
    assert await watched.lookup(HANDLE) is None
    assert watched.health().state == "online"
    for error, state in (
        (UnavailableError(Slug.HOME_UNREACHABLE), "offline"),
        (UnavailableError(Slug.RATE_LIMITED), "online"),
        (UnavailableError(Slug.HOME_UNREACHABLE), "offline"),
        (TrustError(Slug.HOME_LIED), "online"),
        (RequestError(Slug.HANDLE_TAKEN), "online"),
    ):
        home.error = error
        with pytest.raises(KezdError):
            await watched.lookup(HANDLE)
        assert watched.health().state == state
    assert watched.health().last_error is not None


async def test_a_friends_home_that_is_down_is_not_ours():
    home = Home()
    watched = WatchedHome(home, SystemClock())
    watched.use("kez.test", "https://kez.test")
    await watched.lookup(HANDLE)
    home.error = UnavailableError(Slug.HOME_UNREACHABLE)
    with pytest.raises(UnavailableError):
        await watched.lookup(parse_handle("bob@else.where"))
    assert watched.health().state == "online"
    with pytest.raises(UnavailableError):
        await watched.lookup(HANDLE)
    assert watched.health().state == "offline"

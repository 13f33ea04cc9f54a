"""What home counts, for Prometheus; its own registry, no default collectors, no names of people."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kezd.home.policy import Kind, Refusal


class Metrics:
    """Counters and gauges of one home process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._http = Counter(
            "kezd_home_http_responses",
            "HTTP answers by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self._admitted = Counter(
            "kezd_home_nats_admitted", "NATS connections let in.", ["kind"], registry=registry
        )
        self._refused = Counter(
            "kezd_home_nats_refused", "NATS connections refused.", ["reason"], registry=registry
        )
        self._sessions = Counter("kezd_home_sessions", "Session answers.", ["result"], registry=registry)
        self._purged = Counter(
            "kezd_home_purged_messages", "Messages to unregistered keys, dropped.", registry=registry
        )
        self._messages = Gauge(
            "kezd_home_pending_messages", "Messages in the inbox stream.", registry=registry
        )
        self._bytes = Gauge("kezd_home_pending_bytes", "Bytes in the inbox stream.", registry=registry)
        self._stopped = Gauge("kezd_home_stopped_senders", "Senders over quota.", registry=registry)
        self._nats_starts = Gauge(
            "kezd_home_nats_starts", "Starts of the supervised nats-server.", registry=registry
        )
        self._routes: dict[tuple[str, int], Counter] = {}

    def http(self, route: str, status: int) -> None:
        """Count an answer; `route` is the route's template, never a path."""
        child = self._routes.get((route, status))
        if child is None:
            child = self._routes[route, status] = self._http.labels(route, str(status))
        child.inc()

    def admitted(self, kind: Kind) -> None:
        """Count an admission."""
        self._admitted.labels(kind.value).inc()

    def refused(self, reason: Refusal) -> None:
        """Count a refusal."""
        self._refused.labels(reason.value).inc()

    def session(self, result: str) -> None:
        """Count a session answer: its kind or its error slug."""
        self._sessions.labels(result).inc()

    def purged(self, messages: int) -> None:
        """Count purged messages."""
        self._purged.inc(messages)

    def stream(self, messages: int, size: int) -> None:
        """Note how full the stream is."""
        self._messages.set(messages)
        self._bytes.set(size)

    def stopped(self, senders: int) -> None:
        """Note how many senders are over quota."""
        self._stopped.set(senders)

    def nats_starts(self, starts: int) -> None:
        """Note how often nats-server was started."""
        self._nats_starts.set(starts)

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)

"""The internal listener: metrics, and the callout's decision for tests and other brokers.

Never served on the public address. It trusts whoever reaches it, so it binds to loopback unless
the operator says otherwise.
"""

import msgspec
from starlette.routing import Route
from starlette.types import Receive, Scope

from kezd.home.errors import HttpError, Slug
from kezd.home.gate import Attempt, Gate
from kezd.home.http_wire import Endpoint, Handler, Reply, json_reply, read_body
from kezd.home.metrics import Metrics
from kezd.home.policy import Limits, Refusal


class AuthQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the broker knows about a connection; `sig` is base64 in either alphabet."""

    nkey: str
    nonce: str
    sig: str
    name: str = ""
    host: str = ""
    type: str = "nats"


class Internal:
    """The handlers; `routes` is the table. Without a gate (sigchain role) there is no auth route."""

    def __init__(self, gate: Gate | None, limits: Limits, metrics: Metrics) -> None:
        self._gate = gate
        self._limits = limits
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """Every route of the internal listener."""
        table: list[tuple[str, str, Handler]] = [("/metrics", "GET", self.metrics)]
        if self._gate is not None:
            table.append(("/internal/nats/auth", "POST", self.nats_auth))
        return [
            Route(path, Endpoint(path, handler, self._metrics), methods=[method])
            for path, method, handler in table
        ]

    async def metrics(self, _scope: Scope, _receive: Receive) -> Reply:
        """Prometheus text."""
        return Reply(200, self._metrics.render(), self._metrics.content_type.encode())

    async def nats_auth(self, scope: Scope, receive: Receive) -> Reply:
        """200 with the permissions, or 403 with the reason."""
        assert self._gate is not None, "the route exists only with a gate"
        try:
            question = msgspec.json.decode(await read_body(scope, receive), type=AuthQuestion)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HttpError(400, Slug.BAD_REQUEST, str(error), "send nkey, nonce and sig") from error
        decision = await self._gate.decide(
            Attempt(question.nkey, question.nonce, question.sig, question.name, question.host, question.type)
        )
        if isinstance(decision, Refusal):
            raise HttpError(403, Slug.REFUSED, "refused", members={"reason": decision.value})
        return json_reply(
            200,
            {
                "kind": decision.kind.value,
                "identity": decision.identity.hex,
                "generation": decision.generation,
                "sending": decision.sending,
                "publish": decision.permissions.publish,
                "subscribe": decision.permissions.subscribe,
                "expires_in": self._limits.jwt_ttl,
            },
        )

"""NATS auth callout: the wire around `gate`, one message in, one signed answer out.

A request is a JWT that the server signed (`$SYS.REQ.USER.AUTH`, AUTH account, queue group); the
answer is a JWT that the issuer account key signed, holding a user JWT or the word "refused".
All refusals look alike to the client. An attempt that cannot be decided gets no answer, and the
server refuses it after its own time-out.
"""

import logging
from collections import OrderedDict
from typing import Any

import msgspec
from nats.aio.msg import Msg

from kezd.home.gate import Attempt, Gate
from kezd.home.metrics import Metrics
from kezd.home.nats_config import CLIENTS_ACCOUNT
from kezd.home.nats_jwt import JwtError, decode_jwt, encode_jwt
from kezd.home.nats_keys import NatsKey
from kezd.home.policy import Admitted, Limits, Refusal
from kezd.kez.keys import PublicKey
from kezd.kez.nkeys import Prefix
from kezd.runtime.clock import Clock

log = logging.getLogger(__name__)

AUTH_SUBJECT = "$SYS.REQ.USER.AUTH"
QUEUE = "callout"
REMEMBERED_GRANTS = 50_000


class _ServerId(msgspec.Struct, frozen=True):
    id: str


class _ClientInfo(msgspec.Struct, frozen=True):
    host: str = ""
    nonce: str = ""
    type: str = ""


class _ConnectOpts(msgspec.Struct, frozen=True):
    nkey: str = ""
    sig: str = ""
    name: str = ""


class _Request(msgspec.Struct, frozen=True):
    type: str
    server_id: _ServerId
    user_nkey: str
    client_info: _ClientInfo
    connect_opts: _ConnectOpts


class Grants:
    """When the newest user JWT of an installation ends (unix seconds); bounded, oldest out first."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[bytes, str], float] = OrderedDict()

    def note(self, identity: PublicKey, installation_id: str, until: float) -> None:
        """Remember a grant."""
        self._until[identity.raw, installation_id] = until
        self._until.move_to_end((identity.raw, installation_id))
        while len(self._until) > REMEMBERED_GRANTS:
            self._until.popitem(last=False)

    def until(self, identity: PublicKey, installation_id: str) -> float | None:
        """The end of the newest grant, None when another home instance gave it."""
        return self._until.get((identity.raw, installation_id))


class AuthCallout:
    """Answers nats-server's question about one connection."""

    def __init__(
        self, gate: Gate, issuer: NatsKey, limits: Limits, grants: Grants, clock: Clock, metrics: Metrics
    ) -> None:
        self._gate = gate
        self._issuer = issuer
        self._limits = limits
        self._grants = grants
        self._clock = clock
        self._metrics = metrics

    async def on_message(self, message: Msg) -> None:
        """Handler of the AUTH subscription: the root of one request."""
        try:
            request = self._open(message.data)
        except JwtError as error:
            self._metrics.refused(Refusal.BAD_REQUEST)
            log.warning("auth request is not from a nats-server", extra={"reason": str(error)})
            return
        try:
            decision = await self._gate.decide(_attempt(request))
            answer = self._answer(request, decision)
        except Exception:
            log.exception("auth request failed")
            return
        await message.respond(answer.encode())

    @staticmethod
    def _open(token: bytes) -> _Request:
        """Read a question; its `exp` is not looked at: the answer is good for a one-time key only."""
        claims = decode_jwt(token, Prefix.SERVER)
        if claims.get("aud") != "nats-authorization-request":
            raise JwtError("wrong audience")
        try:
            request = msgspec.convert(claims.get("nats"), _Request)
        except msgspec.ValidationError as error:
            raise JwtError("wrong shape") from error
        if request.type != "authorization_request":
            raise JwtError("wrong type")
        return request

    def _answer(self, request: _Request, decision: Admitted | Refusal) -> str:
        body: dict[str, Any] = {"type": "authorization_response", "version": 2}
        if isinstance(decision, Refusal):
            self._metrics.refused(decision)
            body["error"] = "refused"
        else:
            self._metrics.admitted(decision.kind)
            body["jwt"] = self._user_jwt(request, decision)
        claims = {"sub": request.user_nkey, "aud": request.server_id.id, "nats": body}
        return encode_jwt(claims, self._issuer, int(self._clock.now()))

    def _user_jwt(self, request: _Request, admitted: Admitted) -> str:
        now = self._clock.now()
        until = int(now + self._limits.jwt_ttl) + 1
        self._grants.note(admitted.identity, admitted.installation_id, until)
        claims = {
            "sub": request.user_nkey,
            "aud": CLIENTS_ACCOUNT,
            "name": request.connect_opts.nkey,
            "exp": until,
            "nats": {
                "type": "user",
                "version": 2,
                "subs": -1,
                "data": -1,
                "payload": -1,
                **admitted.permissions.claims(),
            },
        }
        return encode_jwt(claims, self._issuer, int(now))


def _attempt(request: _Request) -> Attempt:
    return Attempt(
        nkey=request.connect_opts.nkey,
        nonce=request.client_info.nonce,
        signature=request.connect_opts.sig,
        name=request.connect_opts.name,
        host=request.client_info.host,
        connection_type=request.client_info.type,
    )

"""From a call to its answer: scope, parameters, idempotency, handler, error table.

Built on jsonrpcserver's per-request dispatch. Its `async_dispatch` needs asyncio and its
schema check costs more than everything else together; so reading and checking are ours
(`requests`, and msgspec with the method's own type), and each method is handed over as a
callable that takes the session and its raw parameters. jsonrpcserver logs what a method
raises: errors of our table are therefore turned before it sees them.
"""

import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import Any, NoReturn

import msgspec
from jsonrpcserver.async_dispatcher import dispatch_request
from jsonrpcserver.request import Request
from jsonrpcserver.result import SuccessResult
from oslash.either import Left, Right

from kezd.api import types as t
from kezd.api.methods import METHODS, Method
from kezd.api.notifications import DEPRECATED
from kezd.errors import KezdError, RequestError, Slug
from kezd.rpc.guard import Guard, Record, Summary
from kezd.rpc.once import Keys
from kezd.rpc.replies import as_rpc_error, encode_failure, encode_success, report_bug
from kezd.rpc.requests import Call, NoId
from kezd.rpc.session import Session

Handler = Callable[[Session, Any], Awaitable[t.Result]]

ATOMIC = frozenset({"chat.send", "identity.create", "sigchain.rotate"})
"""Methods whose services remember the result in the transaction that recalls it, or answer the same anyway."""
REMEMBERING = frozenset({"chat.read"})
"""Methods whose services remember the result themselves, step by step."""
CANCEL = "rpc.cancel"
"""Needs no slot: what it frees may be what everybody waits for."""
IDEMPOTENCY_KEY_LENGTH = 128
SECRET = frozenset({"idempotency_key", "phrase", "progress_token", "passphrase", "vault_passphrase"})
"""Members that no hash is made of."""
ALWAYS_HASHED = frozenset({"idempotency_key", "dry_run", "passphrase", "words", "home_url", "up_to"})
"""Optional members of the first schema, which stand in its hashes also at their defaults."""

NO_SUMMARIES: Mapping[str, Summary] = MappingProxyType({})
_FIELD = re.compile(r"field `([^`]+)`")
_PATH = re.compile(r" - at `\$\.?([^`]*)`")
_HASH = msgspec.json.Encoder(order="deterministic").encode


class _AnySignature(inspect.Signature):
    """Says yes at once: jsonrpcserver binds the arguments before each call, ours are two by construction."""

    def bind(self, *_args: Any, **_kwargs: Any) -> Any:
        return None


class BoundMethod:
    """One method with its handler, as jsonrpcserver calls it."""

    __signature__ = _AnySignature()

    def __init__(self, method: Method, handler: Handler, keys: Keys, summary: Summary | None) -> None:
        self._method = method
        self._handler = handler
        self._keys = keys
        self._guard = Guard(method, summary)
        self._atomic = method.name in ATOMIC
        self._remembers = method.name in REMEMBERING

    async def __call__(self, session: Session, raw: dict[str, Any]) -> Any:
        """Check, run, and give jsonrpcserver its result."""
        try:
            return Right(SuccessResult(await self._run(session, raw)))
        except KezdError as error:
            raise as_rpc_error(error) from error
        except Exception as error:
            raise as_rpc_error(report_bug(error, self._method.name)) from error

    def _run(self, session: Session, raw: dict[str, Any]) -> Awaitable[Any]:
        if not self._guard.audits or session.bound is None:
            return self._perform(session, raw, None)
        return self._guard.recorded(session, partial(self._perform, session, raw))

    async def _perform(self, session: Session, raw: dict[str, Any], record: Record | None) -> Any:
        method = self._method
        self._guard.admit(session)
        if method.deprecated:
            _warn(session, method)
        try:
            params = msgspec.convert(raw, method.params)
        except msgspec.ValidationError as error:
            _refuse(error)
        if isinstance(params, t.Mutation) and params.dry_run and not method.dry_run:
            raise RequestError(
                Slug.INVALID_ARGUMENT, f"`dry_run`: {method.name} has none", detail={"field": "dry_run"}
            )
        if record is not None:
            await self._guard.prepare(session, params, record)
        if not isinstance(params, t.Mutation):
            return await self._handler(session, params)
        if self._atomic:  # its handler takes the token along into its own transaction
            return await self._handler(session, params)
        once, key = make_once(session, method.name, params), params.idempotency_key
        work = partial(self._handler, session, params)
        if once is None or key is None:
            return await work()
        if self._remembers:
            return await self._keys.run_alone(session.profile, key, work)
        return await self._keys.run(session.profile, key, once, work)


class Dispatcher:
    """All methods of the socket."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        methods: Sequence[Method] = METHODS,
        summaries: Mapping[str, Summary] = NO_SUMMARIES,
    ) -> None:
        # Any: jsonrpcserver's own alias has synchronous methods only.
        keys = Keys()
        self._methods: dict[str, Any] = {
            method.name: BoundMethod(method, handlers[method.name], keys, summaries.get(method.name))
            for method in methods
        }
        self._unstoppable = frozenset(method.name for method in methods if not method.stoppable)

    def stoppable(self, method: str) -> bool:
        """Whether a call of that method may be cancelled."""
        return method not in self._unstoppable

    async def answer(self, session: Session, call: Call) -> bytes | None:
        """Run one call and encode its answer; None for a notification."""
        request = Request(call.method, [call.params], call.id)
        result: Any
        _, result = await dispatch_request(self._methods, session, request)
        if isinstance(call.id, NoId):
            return None
        if isinstance(result, Left):
            error = result._error  # noqa: SLF001 - jsonrpcserver's own way to read an Either
            data = error.data if isinstance(error.data, dict) else _unknown_method(call.method)
            return encode_failure(error.code, error.message, data, call.id)
        return encode_success(result._value.result, call.id)  # noqa: SLF001 - as above


@cache
def _later_defaults(params: type[t.Mutation]) -> dict[str, Any]:
    """Members that may be left out, with their defaults, as far as they came after the first hashes."""
    optional = {f.encode_name: f.default for f in msgspec.structs.fields(params) if not f.required}
    return {name: default for name, default in optional.items() if name not in ALWAYS_HASHED}


def _hash(params: t.Mutation) -> str:
    """Of the parameters without key and secrets: the one is no part of the call, the others nobody's to keep.

    A member at its default is left out, so that a key of before an upgrade, whose method has
    more members now, is known after it; the oldest ones stand in it always, as they did.
    """
    if isinstance(params, t.IdentityRestoreParams):
        params = msgspec.structs.replace(params, words=None)
    later = _later_defaults(type(params))
    members = [
        _HASH(name) + b":" + _HASH(None if name in SECRET else value)
        for name, value in msgspec.structs.asdict(params).items()
        if name not in later or (value != later[name] and name not in SECRET)
    ]
    return hashlib.sha256(b"{" + b",".join(members) + b"}").hexdigest()


def make_once(session: Session, method: str, params: t.Mutation) -> Any:
    """The token for the call's idempotency key, None when it has none or is a dry run.

    Raises:
        RequestError: `invalid_argument` for a key that is none.
    """
    key = params.idempotency_key
    if key is None or params.dry_run:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            f"`idempotency_key` has 1 to {IDEMPOTENCY_KEY_LENGTH} characters",
            detail={"field": "idempotency_key"},
        )
    return session.profile.once(key, method, _hash(params))


def _warn(session: Session, method: Method) -> None:
    """Tell the client once that this method will go."""
    if method.name not in session.warned:
        session.warned.add(method.name)
        session.notify(DEPRECATED, {"method": method.name, "instead": method.deprecated})


def _refuse(error: msgspec.ValidationError) -> NoReturn:
    """Say which parameter was wrong, by its path."""
    text = str(error)
    place = _PATH.search(text)
    path = [place.group(1)] if place and place.group(1) else []
    name = _FIELD.search(text)
    field = ".".join([*path, *([name.group(1)] if name else [])])
    what = text[: place.start()] if place else text
    raise RequestError(
        Slug.INVALID_ARGUMENT, f"`{field}`: {what}" if field else what, detail={"field": field}
    ) from error


def _unknown_method(name: str) -> dict[str, Any]:
    return {
        "slug": Slug.INVALID_ARGUMENT.value,
        "retryable": False,
        "hint": "rpc.discover lists the methods",
        "method": name,
    }

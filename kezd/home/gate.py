"""The decision who may connect to NATS, apart from how the question arrives.

Asked by the auth callout and by `POST /internal/nats/auth`. It verifies the nonce signature
itself (nats-server does not, for keys that it does not know), then the registry, then the chain
(a rotated key speaks no longer), then host and type of the connection, which nats-server does not
enforce on callout users.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kezd.home.identities import Identities
from kezd.home.nats_jwt import from_base64_any
from kezd.home.policy import (
    Admitted,
    Kind,
    Refusal,
    guest_permissions,
    identity_permissions,
    reachable_generation,
)
from kezd.home.quota import SenderQuota
from kezd.home.store.ports import SessionStore
from kezd.home.tag_keys import TagKeys
from kezd.kez.errors import KezError
from kezd.kez.keys import PublicKey
from kezd.kez.nkeys import Prefix, decode_public

INSTALLATION_ID = re.compile(r"[0-9a-f]{32}")
NONCE_MAX = 64
CONNECTION_TYPES = frozenset({"nats", "websocket"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection attempt: what the client sent and what the server says about it."""

    nkey: str
    nonce: str
    signature: str
    name: str = ""
    host: str = ""
    connection_type: str = "nats"


class Gate:
    """Decides attempts; holds no state but its parts."""

    def __init__(
        self,
        identities: Identities,
        sessions: SessionStore,
        tag_keys: TagKeys,
        quota: SenderQuota,
        *,
        guests: bool,
        networks: Sequence[Network] = (),
    ) -> None:
        self._identities = identities
        self._sessions = sessions
        self._tag_keys = tag_keys
        self._quota = quota
        self._guests = guests
        self._networks = tuple(networks)

    async def decide(self, attempt: Attempt) -> Admitted | Refusal:
        """Admit or refuse; the signature comes before anything that a stranger could probe."""
        key = _authenticated_key(attempt)
        if isinstance(key, Refusal):
            return key
        if attempt.connection_type not in CONNECTION_TYPES:
            return Refusal.CONNECTION_TYPE
        if not self._host_is_allowed(attempt.host):
            return Refusal.HOST
        identity = await self._identities.identity_of(key)
        if identity is Refusal.UNKNOWN and self._guests:
            return await self._admit_guest(key)
        if isinstance(identity, Refusal):
            return identity
        return await self._admit(identity, attempt.name)

    async def _admit(self, identity: PublicKey, name: str) -> Admitted:
        installation_id = name if INSTALLATION_ID.fullmatch(name) else ""
        generation = reachable_generation(await self._sessions.current(identity.raw), installation_id)
        tags = [dated.tag for dated in await self._tag_keys.tags(identity)]
        sending = await self._quota.may_send(identity)
        permissions = identity_permissions(identity, tags, generation, sending=sending)
        return Admitted(Kind.IDENTITY, identity, permissions, generation, installation_id, sending)

    async def _admit_guest(self, key: PublicKey) -> Admitted:
        tags = [dated.tag for dated in await self._tag_keys.tags(key)]
        sending = await self._quota.may_send(key)
        return Admitted(Kind.GUEST, key, guest_permissions(key, tags, sending=sending), None, "", sending)

    def _host_is_allowed(self, host: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _authenticated_key(attempt: Attempt) -> PublicKey | Refusal:
    """The key that signed the nonce."""
    if not (attempt.nkey and attempt.signature and attempt.nonce) or len(attempt.nonce) > NONCE_MAX:
        return Refusal.NO_NKEY
    try:
        key = PublicKey(decode_public(attempt.nkey, Prefix.USER))
        key.verify(attempt.nonce.encode(), from_base64_any(attempt.signature))
    except (KezError, UnicodeEncodeError):
        return Refusal.BAD_SIGNATURE
    return key

"""Which registered identity a key speaks for: the registry, and the chain where one was rotated.

Invariant: after a `rotate` the new key speaks for the identity and the old one for nobody.
"""

from kezd.home.policy import Refusal
from kezd.home.store.ports import RegistryStore, SigchainStore
from kezd.kez.keys import PublicKey


class Identities:
    """Looks keys up; without a sigchain store (registry role alone) rotations are not known."""

    def __init__(self, registry: RegistryStore, sigchains: SigchainStore | None) -> None:
        self._registry = registry
        self._sigchains = sigchains

    async def identity_of(self, key: PublicKey) -> PublicKey | Refusal:
        """The identity (its genesis primary), or why there is none."""
        if await self._registry.by_primary(key.raw) is not None:
            current = await self._sigchains.current_of(key.raw) if self._sigchains else None
            return key if current in (None, key.raw) else Refusal.ROTATED
        genesis = await self._sigchains.genesis_of(key.raw) if self._sigchains else None
        if genesis is None or await self._registry.by_primary(genesis) is None:
            return Refusal.UNKNOWN
        return PublicKey(genesis)

    async def is_registered(self, identity: PublicKey) -> bool:
        """Whether this genesis primary has a handle here."""
        return await self._registry.by_primary(identity.raw) is not None

    async def current_key(self, identity: PublicKey) -> PublicKey:
        """The key that now speaks for an identity."""
        current = await self._sigchains.current_of(identity.raw) if self._sigchains else None
        return PublicKey(current) if current else identity

"""The identity as it is kept: its row, its key, its chain, and who waits for a change of them.

Not here: how it comes to be and what becomes of it (`service`). Invariants: what is shown is
what was committed; the seed is in the vault and in the `Signer`, and nowhere else.
"""

from typing import Final

import msgspec
import trio

from kezd.api.events import Topic
from kezd.api.types import IdentityResult
from kezd.errors import AccessError, RequestError, Slug
from kezd.kez.heads import SeenHead
from kezd.kez.keys import PublicKey, Seed
from kezd.kez.sigchain import Chain, Head
from kezd.kez.signing import Signer
from kezd.runtime.clock import Clock
from kezd.runtime.settings import HomeSettings
from kezd.services.identity.enrolment import Enrolment
from kezd.services.identity.own_chain import OwnChain
from kezd.services.identity.shape import ActiveIdentity, active_identity, show_identity
from kezd.services.identity.words import Chance, Secrets
from kezd.services.ports import HomeDirectory
from kezd.store.database import Database, Transaction
from kezd.store.idempotency import Once, remember
from kezd.store.identity import IdentityState, StoredIdentity, load_identity, save_identity
from kezd.store.vault import Vault, VaultRecord

RETIRED_SECONDS: Final = 30 * 24 * 3600
"""How long a former key opens mail."""


class KeptIdentity:
    """What `Identity` stands on."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        record: VaultRecord,
        home: HomeDirectory,
        clock: Clock,
        settings: HomeSettings,
        chance: Chance,
    ) -> None:
        self._db = db
        self._vault = vault
        self._record = record
        self._home = home
        self._clock = clock
        self._settings = settings
        self._chance = chance
        self._own_chain = OwnChain(db, home, clock)
        self._enrolment = Enrolment(home, clock)
        self._one_at_a_time = trio.Lock()
        self._row: StoredIdentity | None = None
        self._signer: Signer | None = None
        self._chain: Chain | None = None
        self._checked = False
        self._changed = trio.Event()
        self._told: list[tuple[PublicKey, SeenHead]] = []

    # --- looking --------------------------------------------------------------

    async def show(self) -> IdentityResult:
        """The identity as it is now."""
        return show_identity(self._row, self._chain)

    def shown(self, tx: Transaction) -> IdentityResult:
        """The identity as it is in the state that `tx` sees; may run in a thread of the store."""
        return show_identity(load_identity(tx), self._chain)

    @property
    def primary(self) -> PublicKey | None:
        """The genesis primary, None before there is an identity."""
        return None if self._row is None else self._row.genesis

    @property
    def server(self) -> str | None:
        """The server of the handle, None before it is registered."""
        return None if self._row is None or self._row.registered_at is None else self._row.server

    @property
    def active(self) -> ActiveIdentity | None:
        """What `wait_active` would return now, or None."""
        return active_identity(self._row, self._chain, self._signer)

    @property
    def key(self) -> PublicKey | None:
        """The primary that signs now: the genesis primary until the first rotation."""
        return None if self._signer is None or self._row is None else self._signer.public

    @property
    def head(self) -> Head | None:
        """Of our own chain as it is applied here."""
        return None if self._chain is None else self._chain.head

    def own_head(self) -> SeenHead | None:
        """What we tell contacts of our own chain; any thread may ask."""
        chain = self._chain
        return None if chain is None or chain.head is None else SeenHead(chain.genesis, chain.head)

    @property
    def chain(self) -> Chain | None:
        """Our own chain as it is applied here, None before there is an identity."""
        return self._chain

    def retired_signers(self) -> tuple[Signer, ...]:
        """Former keys that still open mail, for thirty days after their rotation, newest first."""
        since = self._clock.now() - RETIRED_SECONDS
        return tuple(Signer(key.seed) for key in reversed(self.record.retired) if key.at >= since)

    @property
    def record(self) -> VaultRecord:
        """What the vault holds now, for the composition root, which backs it up."""
        return self._vault.record or self._record

    async def wait_active(self) -> ActiveIdentity:
        """Wait until there is a registered identity that no other installation has taken over."""
        while (active := self.active) is None:
            await self._changed.wait()
        await trio.lowlevel.checkpoint()
        return active

    async def wait_inactive(self, signer: Signer | None = None) -> None:
        """Wait until it is not active any more, or, given its key, active with another one."""
        while self.active is not None and signer in (None, self._signer):
            await self._changed.wait()
        await trio.lowlevel.checkpoint()

    # --- keeping --------------------------------------------------------------

    async def _load(self) -> None:
        row = await self._db.read(load_identity)
        if row is None:
            return
        chain = await self._own_chain.load(row.genesis)
        seed = self.record.seed
        if seed is None or not _of_chain(Signer(seed).public, chain):
            if row.state is IdentityState.UNCONFIRMED:  # a restore over it was cut off: nothing is lost
                return
            raise AccessError(Slug.VAULT_DAMAGED, "the vault is of another identity than the database")
        self._signer = Signer(seed)
        self._row = row
        self._chain = chain
        await self._take_over()
        if row.server is not None and row.home_url is not None:
            self._home.use(row.server, row.home_url)

    async def _take_over(self) -> bool:
        """Where the chain has the coming key, so has the vault from now on; whether it was so."""
        coming, chain = self.record.coming, self._chain
        if coming is None or chain is None or Signer(coming.seed).public != chain.current:
            return False
        _, at = chain.retired_keys[-1]
        self._record = await self._vault.change(lambda record: record.rotated(at))
        self._signer = Signer(coming.seed)
        return True

    async def _save(self, row: StoredIdentity, event: str | None = None, once: Once | None = None) -> None:
        """Commit the row, and with it the event; then wake who waits."""
        shown = msgspec.to_builtins(show_identity(row, self._chain))

        def keep(tx: Transaction) -> None:
            save_identity(tx, row)
            remember(tx, once, {})
            if event is not None:
                tx.emit(Topic.IDENTITY.value, {"type": event, "identity": shown})

        await self._db.write(keep)
        self._set_row(row)

    def _set_row(self, row: StoredIdentity) -> None:
        self._row = row
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _existing(self) -> StoredIdentity:
        if self._row is None:
            raise RequestError(Slug.NO_IDENTITY)
        return self._row

    def _signing(self) -> Signer:
        assert self._signer is not None, "there is an identity"
        return self._signer

    def _seed(self) -> Seed:
        seed = self.record.seed
        assert seed is not None, "the vault holds the identity of the database"
        return seed

    def _secrets(self) -> Secrets:
        return Secrets(self._seed(), self.record.entropy12)


def _of_chain(key: PublicKey, chain: Chain) -> bool:
    """Whether a chain has or had this key."""
    return key == chain.current or any(key == old for old, _ in chain.retired_keys)

"""The identity as others see it: `ActiveIdentity` for the peer, `IdentityResult` for clients. Pure."""

from dataclasses import dataclass

from kezd.api.types import IdentityResult
from kezd.kez.handles import Handle
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Chain
from kezd.kez.signing import Signer
from kezd.store.identity import IdentityState, StoredIdentity


@dataclass(frozen=True, slots=True)
class ActiveIdentity:
    """What the rest of the peer runs on while the identity is active.

    Attributes:
        signer: the identity's key.
        primary: its genesis primary.
        handle: as registered.
        server: of the handle.
        home_url: where its home is asked.
        nats_url: of our own endpoint in our chain.
        installation_id: 32 hex digits, this installation's for good.
        takeover: whether the next session shall supersede other installations.
        restored_at: unix seconds of the restore, None for the first installation.
    """

    signer: Signer
    primary: PublicKey
    handle: Handle
    server: str
    home_url: str
    nats_url: str
    installation_id: str
    takeover: bool
    restored_at: float | None


def active_identity(
    row: StoredIdentity | None, chain: Chain | None, signer: Signer | None
) -> ActiveIdentity | None:
    """The active identity, None in every other state."""
    if row is None or chain is None or signer is None or row.state is not IdentityState.ACTIVE:
        return None
    assert row.name is not None
    assert row.server is not None
    assert row.home_url is not None
    return ActiveIdentity(
        signer,
        row.genesis,
        Handle(row.name, row.server),
        row.server,
        row.home_url,
        chain.nats_endpoints[0].url,
        row.installation_id,
        row.takeover,
        row.restored_at,
    )


def show_identity(row: StoredIdentity | None, chain: Chain | None) -> IdentityResult:
    """What `identity.show` answers."""
    if row is None:
        return IdentityResult(state="none")
    head = None if chain is None else chain.head
    return IdentityResult(
        state=row.state.value,
        primary=row.genesis.primary,
        handle=f"{row.name}@{row.server}" if row.registered_at is not None else None,
        home_url=row.home_url,
        key=None if chain is None else chain.current.primary,
        nkey=row.genesis.nkey if chain is None else chain.current.nkey,
        chain_seq=head.seq if head else 0,
        chain_head=head.hash if head else None,
        registered_at=None if row.registered_at is None else row.registered_at * 1000,
        reason=row.superseded_reason,
        rotation=None if row.rotation is None else row.rotation.value,
        chain_alarm=row.chain_alarm,
    )

"""The identity of a profile: what is public about it, and how far it has come.

One row or none. Not here: seed and words (the vault), the chain (`store.sigchains`).
Invariant: a registration is stored before it is sent, and its bytes never change after.
"""

import json
from dataclasses import dataclass, replace
from enum import Enum

from kezd.kez.keys import PublicKey
from kezd.store.database import Transaction


class IdentityState(Enum):
    """How far it has come."""

    UNCONFIRMED = "unconfirmed"
    """The words were shown and not yet recalled."""
    UNREGISTERED = "unregistered"
    """No home is known to have the handle and the chain yet."""
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    """Another installation took over."""


class RotationState(Enum):
    """How far a change of the key has come; its secrets are in the vault."""

    SHOWN = "shown"
    """The new words were shown and not yet recalled."""
    CONFIRMED = "confirmed"
    """They were; from now on it finishes by itself."""


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """The row. Times are unix seconds."""

    genesis: PublicKey
    state: IdentityState
    asked: tuple[int, ...]
    installation_id: str
    takeover: bool
    restored_at: float | None
    name: str | None
    server: str | None
    home_url: str | None
    registration: bytes | None
    registered_at: int | None
    sigchain_url: str | None
    superseded_reason: str | None
    created_at: float
    rotation: RotationState | None = None
    rotation_asked: tuple[int, ...] = ()
    """1-based positions of the new words to be recalled, or that were for the key of now."""
    chain_alarm: str | None = None
    """What contradicts our own sigchain, until the person has looked."""


_COLUMNS = (
    "genesis, state, asked, installation_id, takeover, restored_at, name, server, home_url,"
    " registration, registered_at, sigchain_url, superseded_reason, created_at,"
    " rotation, rotation_asked, chain_alarm"
)


def load_identity(tx: Transaction) -> StoredIdentity | None:
    """The identity, if there is one."""
    row = tx.one(f"SELECT {_COLUMNS} FROM identity")  # noqa: S608 - constant column names
    if row is None:
        return None
    genesis, state, asked, installation_id, takeover, *rest, rotation, rotation_asked, chain_alarm = row
    identity = StoredIdentity(
        PublicKey(genesis),
        IdentityState(state),
        tuple(json.loads(asked)),
        installation_id,
        bool(takeover),
        *rest,
    )
    return replace(
        identity,
        rotation=None if rotation is None else RotationState(rotation),
        rotation_asked=tuple(json.loads(rotation_asked)),
        chain_alarm=chain_alarm,
    )


def save_identity(tx: Transaction, identity: StoredIdentity) -> None:
    """Write the whole row."""
    tx.execute(
        f"INSERT OR REPLACE INTO identity (id, {_COLUMNS})"  # noqa: S608 - constant column names
        " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identity.genesis.raw,
            identity.state.value,
            json.dumps(identity.asked),
            identity.installation_id,
            int(identity.takeover),
            identity.restored_at,
            identity.name,
            identity.server,
            identity.home_url,
            identity.registration,
            identity.registered_at,
            identity.sigchain_url,
            identity.superseded_reason,
            identity.created_at,
            None if identity.rotation is None else identity.rotation.value,
            json.dumps(identity.rotation_asked),
            identity.chain_alarm,
        ),
    )

"""What a run of sigchain events amounts to: endpoints, devices, subjects, keys.

Not here: signatures and order; `Chain` feeds only what it has verified. Invariant: a fold depends on nothing
but the genesis key and the events, in order.
"""

from copy import copy
from typing import Self, assert_never

from kezd.kez.errors import SigchainError
from kezd.kez.identifiers import Identifier
from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import NostrKey
from kezd.kez.sender_tag import inbox_prefix
from kezd.kez.sigchain.event import Event
from kezd.kez.sigchain.ops import (
    Add,
    Device,
    IrohEndpoint,
    NatsEndpoint,
    RemoveEndpoint,
    Revoke,
    RevokeDevice,
    Rotate,
    SharedFiles,
    Unknown,
)


class Fold:
    """The state after some events; owned by one `Chain`, changed only while that is made."""

    __slots__ = ("current", "devices", "inboxes", "iroh", "nats", "retired", "revoked", "shared", "subjects")

    def __init__(self, genesis: PublicKey) -> None:
        self.current = genesis
        self.retired: dict[PublicKey, int] = {}
        self.inboxes = _inboxes(genesis)
        self.nats: dict[str, NatsEndpoint] = {}
        self.iroh: dict[str, IrohEndpoint] = {}
        self.devices: dict[str, Device] = {}
        self.subjects: dict[Identifier, Add] = {}
        self.revoked: dict[Identifier, Revoke] = {}
        self.shared: SharedFiles | None = None

    def branch(self) -> Self:
        """Return a copy that can be changed without changing this one."""
        twin = copy(self)
        for name in self.__slots__:
            setattr(twin, name, copy(getattr(self, name)))
        return twin

    def apply(self, event: Event) -> None:
        """Take one verified event in.

        Raises:
            SigchainError: it names an inbox of somebody else.
        """
        match event.action:
            case Add() as add:
                self.subjects[add.subject] = add
                self.revoked.pop(add.subject, None)
            case Revoke() as revoke:
                self.subjects.pop(revoke.subject, None)
                self.revoked[revoke.subject] = revoke
            case Rotate() as rotate:
                self._rotate(rotate.new_primary, event.created_at)
            case Device() as device:
                self.devices[device.device] = device
            case RevokeDevice(device=name):
                self.devices.pop(name, None)
            case NatsEndpoint() as endpoint:
                self._add_nats(endpoint)
            case IrohEndpoint() as node:
                self.iroh[node.node_id] = node
            case RemoveEndpoint() as remove:
                self._remove(remove)
            case SharedFiles() as shared:
                self.shared = shared
            case Unknown():
                return
            case _:
                assert_never(event.action)

    def _rotate(self, new_primary: PublicKey, at: int) -> None:
        self.retired[self.current] = at
        self.current = new_primary
        self.inboxes |= _inboxes(new_primary)

    def _add_nats(self, endpoint: NatsEndpoint) -> None:
        # Otherwise a chain could have the owner's friends flood a third person's inbox.
        if endpoint.inbox not in self.inboxes:
            raise SigchainError("a NATS endpoint names the inbox of a key of this chain")
        self.nats[endpoint.url] = endpoint

    def _remove(self, remove: RemoveEndpoint) -> None:
        match remove.protocol:
            case "nats":
                self.nats.pop(remove.id, None)
            case "iroh":
                self.iroh.pop(remove.id, None)
            case _:
                return


def _inboxes(primary: PublicKey) -> set[str]:
    """The inbox that mail to a key goes to; a nostr key has none, since it cannot chat."""
    return set() if isinstance(primary, NostrKey) else {inbox_prefix(primary)}

"""A verified chain in readable form. Pure."""

from typing import assert_never

from kezd.api import types as t
from kezd.kez.sigchain import (
    Action,
    Add,
    Chain,
    Device,
    Event,
    Head,
    IrohEndpoint,
    NatsEndpoint,
    RemoveEndpoint,
    Revoke,
    RevokeDevice,
    Rotate,
    SharedFiles,
    Unknown,
)

MILLISECONDS = 1000


def show_chain(
    chain: Chain, *, handle: str | None, own: bool, limit: int, alarm: str | None
) -> t.SigchainResult:
    """The chain, with its last `limit` events, oldest first."""
    shown = chain.events[-limit:]
    return t.SigchainResult(
        genesis=chain.genesis.primary,
        key=chain.current.primary,
        handle=handle,
        own=own,
        head=show_head(chain.head),
        events=[_event(event) for event in shown],
        earlier=len(chain.events) - len(shown),
        devices=[_device(device) for device in chain.devices],
        endpoints=[*map(_nats, chain.nats_endpoints), *map(_iroh, chain.iroh_endpoints)],
        subjects=[
            t.SigchainSubject(subject=str(added.subject), proof_url=added.proof_url)
            for added in chain.subjects
        ],
        revoked=[str(subject) for subject in chain.revoked_subjects],
        former_keys=[
            t.SigchainFormerKey(key=key.primary, rotated_at=at * MILLISECONDS)
            for key, at in chain.retired_keys
        ],
        alarm=alarm,
    )


def show_head(head: Head | None) -> t.SigchainHead | None:
    """The head, if there is one."""
    return None if head is None else t.SigchainHead(seq=head.seq, hash=head.hash)


def says(action: Action, op: str) -> str:
    """What an event says, in a sentence."""
    match action:
        case Add(subject=subject, proof_url=None):
            return f"I am also {subject}"
        case Add(subject=subject, proof_url=url):
            return f"I am also {subject}; the proof is at {url}"
        case Revoke(subject=subject, reason=reason):
            return f"I am not {subject} any more" + (f": {reason}" if reason else "")
        case Rotate(new_primary=new):
            return f"from now on {new.primary} signs for me"
        case Device(device=device, name=name):
            return f"the device {device} ({name}) is mine"
        case RevokeDevice(device=device):
            return f"the device {device} is not mine any more"
        case NatsEndpoint(url=url):
            return f"messages reach me at {url}"
        case IrohEndpoint(node_id=node):
            return f"files are at the Iroh node {node}"
        case RemoveEndpoint(protocol=protocol, id=id_):
            return f"I am not reached at {id_} ({protocol}) any more"
        case SharedFiles(seq=seq):
            return f"my shared files are those of manifest {seq}"
        case Unknown():
            return f"{op}: this version does not know what that means"
        case _:
            assert_never(action)


def _event(event: Event) -> t.SigchainEvent:
    return t.SigchainEvent(
        seq=event.seq,
        op=event.op,
        created_at=event.created_at * MILLISECONDS,
        says=says(event.action, event.op),
        key=event.key,
        hash=event.hash,
    )


def _device(device: Device) -> t.SigchainDevice:
    return t.SigchainDevice(
        device=device.device,
        name=device.name,
        key=device.key.primary,
        capabilities=list(device.capabilities),
    )


def _nats(endpoint: NatsEndpoint) -> t.SigchainEndpoint:
    return t.SigchainEndpoint(
        protocol="nats", id=endpoint.url, inbox=endpoint.inbox, accepts=list(endpoint.accepts)
    )


def _iroh(endpoint: IrohEndpoint) -> t.SigchainEndpoint:
    return t.SigchainEndpoint(protocol="iroh", id=endpoint.node_id)

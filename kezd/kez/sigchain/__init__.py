"""The sigchain: the signed, hash-chained log of one identity (docs/protocol/sigchain.md).

`ops` builds and reads operations, `event` one event, `fold` what they amount to, `chain` verifies and
compares, `codec` goes to bytes and back. Not here: fetching, storing and uploading.
"""

from kezd.kez.errors import ConflictError, ForkError, RollbackError, SigchainError, StaleError
from kezd.kez.sigchain.chain import MAX_CHAIN, Chain, compare, event_payload
from kezd.kez.sigchain.codec import (
    BUNDLE_PREFIX,
    decode_bundle,
    decode_jsonl,
    encode_bundle,
    encode_jsonl,
)
from kezd.kez.sigchain.event import Event, Head, decode_event, event_from_envelope
from kezd.kez.sigchain.ops import (
    Action,
    Add,
    Device,
    IrohEndpoint,
    Members,
    NatsEndpoint,
    RemoveEndpoint,
    Revoke,
    RevokeDevice,
    Rotate,
    SharedFiles,
    Unknown,
    add,
    add_device,
    add_iroh_endpoint,
    add_nats_endpoint,
    read_action,
    remove_endpoint,
    revoke,
    revoke_device,
    rotate,
    set_shared_files,
)

__all__ = [
    "BUNDLE_PREFIX",
    "MAX_CHAIN",
    "Action",
    "Add",
    "Chain",
    "ConflictError",
    "Device",
    "Event",
    "ForkError",
    "Head",
    "IrohEndpoint",
    "Members",
    "NatsEndpoint",
    "RemoveEndpoint",
    "Revoke",
    "RevokeDevice",
    "RollbackError",
    "Rotate",
    "SharedFiles",
    "SigchainError",
    "StaleError",
    "Unknown",
    "add",
    "add_device",
    "add_iroh_endpoint",
    "add_nats_endpoint",
    "compare",
    "decode_bundle",
    "decode_event",
    "decode_jsonl",
    "encode_bundle",
    "encode_jsonl",
    "event_from_envelope",
    "event_payload",
    "read_action",
    "remove_endpoint",
    "revoke",
    "revoke_device",
    "rotate",
    "set_shared_files",
]

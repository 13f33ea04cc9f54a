"""The operations of a sigchain: builders of their members, and members read into typed actions.

Not here: order, signatures, and what a run of operations amounts to (`chain`, `fold`). Invariants: a known op
with bad members is refused; an op or an endpoint protocol that is not known here is kept as `Unknown`; members
beyond those named here are signed, kept and ignored.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from kezd.kez.errors import HandleError, IdentifierError, SigchainError, shown
from kezd.kez.handles import parse_server_name
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.kez.jcs import MAX_INT
from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import parse_any_primary
from kezd.kez.sender_tag import parse_device

Members: TypeAlias = dict[str, Any]

_HEX_32: Final = re.compile(r"[0-9a-f]{64}")
_HEX_64: Final = re.compile(r"[0-9a-f]{128}")
_INBOX: Final = re.compile(r"kez\.inbox\.[0-9a-f]{64}")
_NATS_URL: Final = re.compile(r"(?:nats|tls|ws|wss)://([^/]{1,262})/?")
_HTTPS_URL: Final = re.compile(r"https://[\x21-\x7e]{1,2040}")
_WORD: Final = re.compile(r"[a-z0-9_.-]{1,32}")
_MAX_TEXT: Final = 256  # characters of a name or a reason
_MAX_LIST: Final = 16  # capabilities, versions


@dataclass(frozen=True, slots=True)
class Add:
    """The identity says that it is also this subject."""

    subject: Identifier
    proof_url: str | None


@dataclass(frozen=True, slots=True)
class Revoke:
    """The identity takes back that it is this subject."""

    subject: Identifier
    reason: str | None


@dataclass(frozen=True, slots=True)
class Rotate:
    """A new key takes over; `signature` (64 bytes) is its consent."""

    new_primary: PublicKey
    signature: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the identity, and the action that adds it."""

    device: str
    name: str
    key: PublicKey
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RevokeDevice:
    """A device is the identity's no more."""

    device: str


@dataclass(frozen=True, slots=True)
class NatsEndpoint:
    """Where the identity's mail goes; `accepts` are the sealed-envelope versions it opens."""

    url: str
    inbox: str
    accepts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IrohEndpoint:
    """An Iroh endpoint of the identity; `node_id` is 64 hex digits."""

    node_id: str


@dataclass(frozen=True, slots=True)
class RemoveEndpoint:
    """An endpoint is gone; `id` is the url of a NATS endpoint, the node id of an Iroh one."""

    protocol: str
    id: str


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """The manifest of shared files (BLAKE3 hash, 64 hex digits) and its own count."""

    manifest: str
    seq: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """An operation of a newer version: kept, shown and skipped."""

    op: str


Action: TypeAlias = (
    Add
    | Revoke
    | Rotate
    | Device
    | RevokeDevice
    | NatsEndpoint
    | IrohEndpoint
    | RemoveEndpoint
    | SharedFiles
    | Unknown
)


def add(subject: str, proof_url: str | None = None) -> Members:
    """Members of `add`; the subject is brought into normal form.

    Raises:
        IdentifierError: not an identifier.
    """
    members = {"subject": str(parse_identifier(subject))}
    return members if proof_url is None else members | {"proof_url": proof_url}


def revoke(subject: str, reason: str | None = None) -> Members:
    """Members of `revoke`; the subject is brought into normal form.

    Raises:
        IdentifierError: not an identifier.
    """
    members = {"subject": str(parse_identifier(subject))}
    return members if reason is None else members | {"reason": reason}


def rotate(new_primary: PublicKey, new_signature: Mapping[str, str] | None = None) -> Members:
    """Members of `rotate`.

    Args:
        new_primary: the key that takes over.
        new_signature: its consent; None for the payload that `Signer.rotate_consent` signs.
    """
    members: Members = {"new_primary": new_primary.primary}
    return members if new_signature is None else members | {"new_signature": dict(new_signature)}


def add_device(device: str, name: str, key: PublicKey, capabilities: Sequence[str]) -> Members:
    """Members of `add_device`."""
    return {"device": device, "name": name, "key": key.primary, "capabilities": list(capabilities)}


def revoke_device(device: str) -> Members:
    """Members of `revoke_device`."""
    return {"device": device}


def add_nats_endpoint(url: str, inbox: str, accepts: Sequence[int]) -> Members:
    """Members of `add_endpoint` for NATS."""
    return {"protocol": "nats", "url": url, "inbox": inbox, "accepts": list(accepts)}


def add_iroh_endpoint(node_id: str) -> Members:
    """Members of `add_endpoint` for Iroh."""
    return {"protocol": "iroh", "node_id": node_id}


def remove_endpoint(protocol: str, id: str) -> Members:
    """Members of `remove_endpoint`."""
    return {"protocol": protocol, "id": id}


def set_shared_files(manifest: str, seq: int) -> Members:
    """Members of `set_shared_files`; `seq` travels as `manifest_seq`, the event has a `seq` of its own."""
    return {"manifest": manifest, "manifest_seq": seq}


def _matching(members: Members, name: str, pattern: re.Pattern[str]) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise SigchainError(f"the member {name} is not what the op needs: {shown(value)}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise SigchainError(f"the member {name} is not a short line of text: {shown(value)}")
    return value


def _short_list(members: Members, name: str) -> list[Any]:
    value = members.get(name)
    if not isinstance(value, list) or len(value) > _MAX_LIST:
        raise SigchainError(f"the member {name} is not a list of at most {_MAX_LIST}")
    return value


def _subject(members: Members) -> Identifier:
    text = _text(members.get("subject"), "subject")
    try:
        subject = parse_identifier(text)
    except IdentifierError as error:
        raise SigchainError(f"the subject is no identifier: {error}") from error
    if str(subject) != text:
        raise SigchainError(f"the subject {shown(text)} is not in normal form")
    return subject


def _device_id(members: Members) -> str:
    try:
        return parse_device(members.get("device"))
    except IdentifierError as error:
        raise SigchainError(str(error)) from error


def _key(members: Members, name: str) -> PublicKey:
    try:
        return parse_any_primary(members.get(name))
    except IdentifierError as error:
        raise SigchainError(f"the member {name} is no key: {error}") from error


def _add(members: Members) -> Add:
    subject = _subject(members)
    return Add(subject, _matching(members, "proof_url", _HTTPS_URL) if "proof_url" in members else None)


def _revoke(members: Members) -> Revoke:
    subject = _subject(members)
    return Revoke(subject, _text(members["reason"], "reason") if "reason" in members else None)


def _rotate(members: Members) -> Rotate:
    new_primary = _key(members, "new_primary")
    consent = members.get("new_signature")
    if not isinstance(consent, dict) or consent.keys() != {"alg", "sig"}:
        raise SigchainError("a rotation carries new_signature with exactly alg and sig")
    if consent["alg"] != new_primary.alg:
        raise SigchainError(f"a consent by {shown(consent['alg'])} is not taken here")
    return Rotate(new_primary, bytes.fromhex(_matching(consent, "sig", _HEX_64)))


def _add_device(members: Members) -> Device:
    capabilities = _short_list(members, "capabilities")
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in capabilities):
        raise SigchainError("a capability is a short word of a-z 0-9 _ . -")
    name = _text(members.get("name"), "name")
    return Device(_device_id(members), name, _key(members, "key"), tuple(capabilities))


def _revoke_device(members: Members) -> RevokeDevice:
    return RevokeDevice(_device_id(members))


def _protocol(members: Members) -> str:
    return _matching(members, "protocol", _WORD)


def _add_endpoint(members: Members) -> NatsEndpoint | IrohEndpoint | Unknown:
    match _protocol(members):
        case "nats":
            return _nats_endpoint(members)
        case "iroh":
            return IrohEndpoint(_matching(members, "node_id", _HEX_32))
        case _:
            return Unknown("add_endpoint")


def _nats_endpoint(members: Members) -> NatsEndpoint:
    url = _matching(members, "url", _NATS_URL)
    found = _NATS_URL.fullmatch(url)
    assert found is not None
    try:
        parse_server_name(found[1])
    except HandleError as error:
        raise SigchainError(f"the url {shown(url)} has no good host") from error
    accepts = _short_list(members, "accepts")
    if not accepts or not all(type(version) is int and 0 < version < 256 for version in accepts):
        raise SigchainError("accepts lists sealed-envelope versions from 1 to 255")
    return NatsEndpoint(url, _matching(members, "inbox", _INBOX), tuple(accepts))


def _remove_endpoint(members: Members) -> RemoveEndpoint:
    return RemoveEndpoint(_protocol(members), _text(members.get("id"), "id"))


def _set_shared_files(members: Members) -> SharedFiles:
    seq = members.get("manifest_seq")
    if type(seq) is not int or not 0 < seq <= MAX_INT:
        raise SigchainError("manifest_seq counts from 1")
    return SharedFiles(_matching(members, "manifest", _HEX_32), seq)


_READERS: Final[Mapping[str, Callable[[Members], Action]]] = MappingProxyType(
    {
        "add": _add,
        "revoke": _revoke,
        "rotate": _rotate,
        "add_device": _add_device,
        "revoke_device": _revoke_device,
        "add_endpoint": _add_endpoint,
        "remove_endpoint": _remove_endpoint,
        "set_shared_files": _set_shared_files,
    }
)


def read_action(op: str, members: Members) -> Action:
    """Read an op's members into a typed action.

    Args:
        op: the operation's name.
        members: what the payload has beside the members that every event has.

    Raises:
        SigchainError: a known op whose members are not what it needs.
        KeyMaterialError: it names a key that is not usable.
    """
    reader = _READERS.get(op)
    return Unknown(op) if reader is None else reader(members)

"""What clients can do without a daemon: pure functions of the protocol, handed on.

Keys from words, claims signed with a key that the caller holds, proofs and sigchains checked. Not here: anything
that needs stores, the network, a clock or randomness; time and entropy are arguments. Invariants: importing this
costs nothing, each function imports what it needs when it is called; what comes back is plain text and numbers;
what is wrong with the input is a `KezdError` that never repeats a secret.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.contact_uri import format_contact_uri, is_contact_uri, parse_contact_uri

if TYPE_CHECKING:
    from kezd.kez.envelope import Envelope
    from kezd.kez.nostr_signing import NostrSigner
    from kezd.kez.proofs import Found
    from kezd.kez.sigchain import Chain, Event
    from kezd.kez.signing import Signer

__all__ = [
    "ENCODINGS",
    "ChainCheck",
    "ChainEvent",
    "ChainSubject",
    "MadeClaim",
    "OwnKey",
    "ProofCheck",
    "check_chain",
    "check_proofs",
    "format_contact_uri",
    "is_contact_uri",
    "key_of_entropy",
    "key_of_nostr_secret",
    "key_of_secret",
    "make_claim",
    "parse_contact_uri",
]

ENCODINGS: Final = ("json", "compact", "markdown", "dns")
ENTROPY_BYTES: Final = {24: 32, 12: 16}
"""Bytes of entropy behind so many recovery words."""
_NSEC: Final = "nsec1"


class OwnKey(NamedTuple):
    """A primary with the secret that makes it.

    Attributes:
        primary: `ed25519:…` or `nostr:npub1…`.
        secret: recovery words separated by spaces, or `nsec1…`; whoever has it is that identity.
    """

    primary: str
    secret: str

    def __repr__(self) -> str:
        return f"OwnKey(primary={self.primary})"


class MadeClaim(NamedTuple):
    """A claim that was just signed.

    Attributes:
        primary: who claims.
        subject: in normal form.
        expires_at: unix seconds, None for never.
        encodings: name of the encoding → text; `dns` only where the subject names a domain.
    """

    primary: str
    subject: str
    expires_at: int | None
    encodings: dict[str, str]


class ProofCheck(NamedTuple):
    """One thing in a text that is a proof or looks like one.

    Attributes:
        status: of `docs/protocol/verification.md`: valid, expired, revoked, primary_mismatch or invalid.
        reason: one sentence for people.
        line: of the text at which it begins, from 1.
        column: of that line, from 1.
        kind: what the envelope says it is, empty where none could be read.
        primary: who is said to have signed.
        subject: what they say they are.
        created_at: unix seconds as signed, None where nothing is signed.
        expires_at: unix seconds, None for never.
    """

    status: str
    reason: str
    line: int
    column: int
    kind: str = ""
    primary: str = ""
    subject: str = ""
    created_at: int | None = None
    expires_at: int | None = None


class ChainSubject(NamedTuple):
    """A subject that a chain adds, with the address of its proof where it names one."""

    subject: str
    proof_url: str | None


class ChainEvent(NamedTuple):
    """One event: its place, its operation, when it says it was made, and what it is about."""

    seq: int
    op: str
    created_at: int
    about: str


class ChainCheck(NamedTuple):
    """A sigchain that holds.

    Attributes:
        genesis: the first key, which is the chain's address.
        current: the primary that signs now.
        keys: every primary that the chain has had.
        head: hash of the last event, 64 hex digits.
        size: bytes as JSONL.
        events: in order.
        subjects: added and not revoked.
        revoked: subjects that were taken back.
        devices: names of devices that were added and not revoked.
    """

    genesis: str
    current: str
    keys: tuple[str, ...]
    head: str
    size: int
    events: tuple[ChainEvent, ...]
    subjects: tuple[ChainSubject, ...]
    revoked: tuple[str, ...]
    devices: tuple[str, ...]


def key_of_entropy(entropy: bytes) -> OwnKey:
    """Make an ed25519 primary and its recovery words: 24 of 32 bytes, 12 of 16.

    Raises:
        RequestError: another size.
    """
    from kezd.kez.errors import KezError
    from kezd.kez.keys import Seed
    from kezd.kez.mnemonic import entropy_to_words, seed_to_words

    try:
        is_seed = len(entropy) == ENTROPY_BYTES[24]
        words = seed_to_words(Seed(entropy)) if is_seed else entropy_to_words(entropy)
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, str(error)) from error
    return key_of_secret(" ".join(words))


def key_of_nostr_secret(raw: bytes) -> OwnKey:
    """Make a nostr primary of 32 random bytes.

    Raises:
        RequestError: another size, or not a number of the curve's order (one of 2^128 is not).
    """
    from kezd.kez.errors import KezError
    from kezd.kez.nostr_keys import NostrSecret

    try:
        secret = NostrSecret(raw)
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, str(error)) from error
    return OwnKey(secret.public.primary, secret.nsec)


def key_of_secret(text: str) -> OwnKey:
    """Read a key file's text: 24 or 12 recovery words, or `nsec1…`.

    Raises:
        RequestError: it is neither; the message repeats nothing of it.
    """
    signer = _signer(text)
    secret = text.strip() if text.strip().startswith(_NSEC) else " ".join(text.lower().split())
    return OwnKey(signer.public.primary, secret)


def _signer(text: str) -> "Signer | NostrSigner":
    from kezd.kez.errors import KezError

    try:
        if text.strip().startswith(_NSEC):
            from kezd.kez.nostr_keys import NostrSecret
            from kezd.kez.nostr_signing import NostrSigner

            return NostrSigner(NostrSecret.from_nsec(text.strip()))
        from kezd.kez.mnemonic import words_to_seed
        from kezd.kez.signing import Signer

        return Signer(words_to_seed(text))
    except KezError as error:
        raise RequestError(Slug.WRONG_WORDS, str(error)) from error


def make_claim(secret: str, subject: str, now: int, expires_in_s: int | None = None) -> MadeClaim:
    """Sign a claim with a key of one's own, and write it in every encoding.

    Args:
        secret: words or nsec.
        subject: for example `github:alice`.
        now: unix seconds, the claim's date.
        expires_in_s: seconds after which it holds no more, None for never.

    Raises:
        RequestError: `wrong_words`, or the subject is not one.
    """
    from kezd.kez.claims import claim_payload, verify_claim
    from kezd.kez.errors import KezError

    signer = _signer(secret)
    until = None if expires_in_s is None else now + expires_in_s
    try:
        envelope = signer.claim(claim_payload(signer.public, subject, now, until))
        claim = verify_claim(envelope)
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, str(error)) from error
    texts = _encodings(envelope, _domain_of(claim.subject.system, claim.subject.value))
    return MadeClaim(signer.public.primary, str(claim.subject), until, texts)


def _domain_of(system: str, value: str) -> str:
    """The domain at whose `_kez` name a proof of that subject would stand, empty where there is none."""
    return value if system in {"dns", "web"} else ""


def _encodings(envelope: "Envelope", domain: str) -> dict[str, str]:
    from kezd.kez.proofs import Encoding, encode_proof

    wanted = [one for one in Encoding if one is not Encoding.DNS or domain]
    return {one.value: encode_proof(envelope, one, domain) for one in wanted}


def check_proofs(text: str, now: float, chain: ChainCheck | None = None) -> list[ProofCheck]:
    """Find every proof in a text and check form, signature, expiry, and against a chain if there is one.

    Whether a proof is published where only the subject could publish it cannot be seen from here.

    Args:
        text: anything; the first 4 MiB characters and 256 places are looked at.
        now: unix seconds.
        chain: what `check_chain` said of the primary's chain.

    Returns:
        What was found, in the order of the text; empty when nothing looks like a proof.
    """
    from kezd.kez.proofs import find_proofs
    from kezd.kez.verification import Status

    found, broken = find_proofs(text)
    checks = [(one.at, _check(text, one, now, chain)) for one in found]
    checks += [(one.at, ProofCheck(Status.INVALID.value, one.why, *_place(text, one.at))) for one in broken]
    return [check for _, check in sorted(checks, key=lambda pair: pair[0])]


def _check(text: str, found: "Found", now: float, chain: ChainCheck | None) -> ProofCheck:
    from kezd.kez.claims import verify_claim
    from kezd.kez.envelope import EnvelopeKind
    from kezd.kez.errors import KezError
    from kezd.kez.verification import Status

    envelope, place = found.envelope, _place(text, found.at)
    try:
        claim = verify_claim(envelope)
    except KezError as error:
        reason = str(error)
        if envelope.kind == EnvelopeKind.SIGCHAIN_EVENT:
            reason = "an event of a sigchain stands here, which proves nothing alone: kez sigchain verify"
        return ProofCheck(Status.INVALID.value, reason, *place, envelope.kind, envelope.key)
    status, reason = Status.VALID, "the signature holds"
    if claim.has_expired(now):
        status, reason = Status.EXPIRED, "the claim was made for a time that is over"
    if chain is not None:
        if claim.primary.primary not in chain.keys:
            status, reason = Status.PRIMARY_MISMATCH, "the sigchain is that of another primary"
        elif str(claim.subject) in chain.revoked:
            status, reason = Status.REVOKED, "the primary's own sigchain takes this claim back"
    return ProofCheck(
        status.value, reason, *place, envelope.kind, envelope.key, str(claim.subject), claim.created_at,
        claim.expires_at,
    )  # fmt: skip


def _place(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def check_chain(data: bytes, primary: str | None = None) -> ChainCheck:
    """Verify a whole sigchain, JSONL or bundle.

    Args:
        data: of a file, at most 16 MiB of JSONL, or `kez:zc1:…`.
        primary: the genesis key that it must have; None to take that of its first event.

    Raises:
        RequestError: `not_found` for an empty file, or `primary` is not one.
        TrustError: `chain_invalid`, with what does not hold.
    """
    from kezd.kez.errors import IdentifierError, KeyMaterialError, KezError
    from kezd.kez.nostr_keys import parse_any_primary
    from kezd.kez.sigchain import decode_jsonl

    try:
        genesis = None if primary is None else parse_any_primary(primary)
    except (IdentifierError, KeyMaterialError) as error:
        raise RequestError(Slug.INVALID_ARGUMENT, str(error)) from error
    try:
        lines = _lines(data)
        if not lines.strip():
            raise RequestError(Slug.NOT_FOUND, "there is no sigchain here: the file is empty")
        chain = decode_jsonl(lines, genesis or parse_any_primary(_first_key(lines)))
    except KezError as error:
        raise TrustError(Slug.CHAIN_INVALID, f"the sigchain does not verify: {error}") from error
    return _summary(chain)


def _lines(data: bytes) -> bytes:
    from kezd.kez.encodings import decode_base64url, decompress
    from kezd.kez.errors import EncodingError
    from kezd.kez.sigchain import BUNDLE_PREFIX, MAX_CHAIN

    if not data.lstrip().startswith(BUNDLE_PREFIX.encode()):
        return data
    try:
        text = data.strip().decode("ascii")
    except UnicodeDecodeError as error:
        raise EncodingError("a bundle holds a foreign character") from error
    return decompress(
        decode_base64url(text.removeprefix(BUNDLE_PREFIX), max_bytes=MAX_CHAIN), max_bytes=MAX_CHAIN
    )


def _first_key(lines: bytes) -> str:
    """The key that the first event names; whether it signed is seen when the chain is verified."""
    from kezd.kez.sigchain import decode_event

    return decode_event(lines.partition(b"\n")[0]).key


def _summary(chain: "Chain") -> ChainCheck:
    assert chain.head is not None, "an empty file was refused"
    return ChainCheck(
        genesis=chain.genesis.primary,
        current=chain.current.primary,
        keys=(*(key.primary for key, _ in chain.retired_keys), chain.current.primary),
        head=chain.head.hash,
        size=chain.size,
        events=tuple(
            ChainEvent(event.seq, event.op, event.created_at, _about(event)) for event in chain.events
        ),
        subjects=tuple(ChainSubject(str(one.subject), one.proof_url) for one in chain.subjects),
        revoked=tuple(map(str, chain.revoked_subjects)),
        devices=tuple(device.name for device in chain.devices),
    )


_TELLING: Final[Mapping[str, Sequence[str]]] = {
    "add": ("subject",),
    "revoke": ("subject",),
    "rotate": ("new_primary",),
    "add_device": ("name",),
    "revoke_device": ("device",),
    "add_endpoint": ("url", "node_id"),
    "remove_endpoint": ("id",),
    "set_shared_files": ("manifest",),
}
"""Members that say what an operation is about, by its name; the first that is there."""


def _about(event: "Event") -> str:
    members, names = event.members, _TELLING.get(event.op, ())
    return next((str(members[name]) for name in names if isinstance(members.get(name), str)), "")

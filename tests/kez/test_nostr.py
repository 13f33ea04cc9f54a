"""nostr keys, BIP-340's own vectors, what a nostr signer signs, and NIP-01 events."""

import csv
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.claims import claim_payload, verify_claim
from kezd.kez.envelope import Envelope, decode_envelope, encode_envelope, verify_envelope
from kezd.kez.errors import (
    CanonicalError,
    EnvelopeError,
    IdentifierError,
    KeyMaterialError,
    KezError,
    SealedError,
    SigchainError,
    SignatureError,
)
from kezd.kez.nostr_events import read_event
from kezd.kez.nostr_keys import ALG_NOSTR, NostrKey, NostrSecret, parse_any_primary, verify_digest
from kezd.kez.nostr_signing import NOSTR_SIGNATURE_KINDS, NostrSigner
from kezd.kez.sealed import seal
from kezd.kez.sigchain import (
    Chain,
    add,
    add_device,
    decode_jsonl,
    encode_jsonl,
    event_from_envelope,
    event_payload,
    revoke,
    rotate,
)

NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"  # NIP-19's own example
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
NOW = 1_767_225_600
BIP340 = list(
    csv.DictReader((Path(__file__).parent.parent / "vectors" / "bip340.csv").read_text().splitlines())
)


@pytest.fixture(scope="module")
def nostr():
    return NostrSigner(NostrSecret.from_nsec(NSEC))


@pytest.fixture(scope="module")
def other():
    return NostrSigner(NostrSecret(b"\x07" * 32))


@pytest.mark.parametrize("case", BIP340, ids=lambda case: case["index"])
def test_bip340_verifies(case):
    public = NostrKey(bytes.fromhex(case["public key"]))
    digest, signature = bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])
    if case["verification result"] == "TRUE":
        verify_digest(public, digest, signature)
    else:
        with pytest.raises(SignatureError):
            verify_digest(public, digest, signature)


@pytest.mark.parametrize("case", [c for c in BIP340 if c["secret key"]], ids=lambda case: case["index"])
def test_bip340_keys_and_what_is_signed_without_randomness(case):
    secret = NostrSecret(bytes.fromhex(case["secret key"]))
    assert secret.public.raw == bytes.fromhex(case["public key"])
    digest = bytes.fromhex(case["message"])
    verify_digest(secret.public, digest, secret.sign_digest(digest))
    assert secret.sign_digest(digest) == secret.sign_digest(digest)
    if set(case["aux_rand"]) == {"0"}:  # what stands for none
        assert secret.sign_digest(digest) == bytes.fromhex(case["signature"])


def test_nip19_example():
    secret = NostrSecret.from_nsec(NSEC)
    assert secret.reveal().hex() == "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
    assert secret.nsec == NSEC
    key = NostrKey.from_npub(NPUB)
    assert key.raw.hex() == "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
    assert (key.npub, key.primary, key.alg) == (NPUB, f"nostr:{NPUB}", ALG_NOSTR)
    assert parse_any_primary(f"nostr:{NPUB}") == key


def test_a_secret_does_not_show_itself(nostr):
    secret = NostrSecret.from_nsec(NSEC)
    for shown in (repr(secret), repr(nostr)):
        assert "nsec" not in shown
        assert "npub" in shown
    for thing in (secret, nostr):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    with pytest.raises(IdentifierError) as caught:
        NostrSecret.from_nsec(NSEC[:-1] + "q")
    assert NSEC[5:-1] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("raw", [bytes(32), b"\xff" * 32, bytes(31)])
def test_secrets_that_are_none(raw):
    with pytest.raises(KeyMaterialError):
        NostrSecret(raw)


@pytest.mark.parametrize(
    "text", [None, 7, "", "github:x", "ed25519:00", "nostr:npub1", f"nostr:{NSEC}", NPUB]
)
def test_what_is_no_primary(text):
    with pytest.raises(IdentifierError):
        parse_any_primary(text)


def test_a_nostr_key_that_is_no_point():
    with pytest.raises(KeyMaterialError):
        NostrKey.checked(b"\xff" * 32)
    with pytest.raises(SignatureError):
        NostrKey(b"\xff" * 32).verify(b"", bytes(64))
    with pytest.raises(SignatureError):
        NostrKey.from_npub(NPUB).verify(b"", bytes(63))


def test_two_kinds_of_key_are_never_equal(alice):
    assert NostrKey(alice.public.raw) != alice.public


def test_a_nostr_key_cannot_chat(nostr, alice, message):
    for use in (nostr.public.x25519, lambda: nostr.public.nkey):
        with pytest.raises(KeyMaterialError, match="cannot chat"):
            use()
    with pytest.raises(KeyMaterialError, match="cannot chat"):
        seal(alice, nostr.public, message | {"to": nostr.public.primary}, b"\x01" * 32)
    with pytest.raises(SealedError):
        seal(alice, alice.public, message, b"\x01" * 32)


def test_the_table_of_uses_is_the_signer(nostr):
    methods = {name for name in vars(NostrSigner) if not name.startswith("_") and name != "public"}
    assert methods == {use.kind for use in NOSTR_SIGNATURE_KINDS}


def test_a_claim_by_a_nostr_primary(nostr):
    envelope = nostr.claim(claim_payload(nostr.public, "github:Alice", NOW))
    again = decode_envelope(encode_envelope(envelope))
    claim = verify_claim(again)
    assert (claim.primary, str(claim.subject), again.alg) == (nostr.public, "github:alice", ALG_NOSTR)
    bent = Envelope(
        again.kind, again.payload | {"subject": "github:mallory"}, again.alg, again.key, again.sig
    )
    with pytest.raises(SignatureError):
        verify_claim(bent)
    with pytest.raises(SignatureError, match="not taken here"):
        verify_envelope(
            Envelope(again.kind, again.payload, "ed25519-sha512-jcs", again.key, again.sig), "claim"
        )
    with pytest.raises(EnvelopeError):
        nostr.claim(claim_payload(nostr.public, "github:alice", NOW) | {"primary": "nostr:x"})


def chain_of(signer, *ops):
    chain = Chain.empty(signer.public)
    for op, members in ops:
        payload = event_payload(chain, op, members, NOW)
        chain = chain.append(event_from_envelope(signer.sigchain_event(payload)))
    return chain


def test_a_chain_of_a_nostr_primary(nostr, other, alice):
    device = add_device("1", "laptop", alice.public, ["chat"])
    chain = chain_of(
        nostr, ("add", add("github:alice")), ("add_device", device), ("revoke", revoke("github:alice"))
    )
    unsigned = event_payload(chain, "rotate", rotate(other.public), NOW)
    consent = other.rotate_consent(unsigned)
    payload = event_payload(chain, "rotate", rotate(other.public, consent), NOW)
    chain = chain.append(event_from_envelope(nostr.sigchain_event(payload)))
    last = event_payload(chain, "add", add("dns:example.com"), NOW)
    chain = chain.append(event_from_envelope(other.sigchain_event(last)))
    assert decode_jsonl(encode_jsonl(chain), nostr.public).current == other.public
    with pytest.raises(SigchainError):
        chain.append(
            event_from_envelope(
                nostr.sigchain_event(
                    event_payload(chain, "add", add("dns:x.org"), NOW) | {"primary": nostr.public.primary}
                )
            )
        )


def test_a_rotation_keeps_the_algorithm(nostr, alice):
    chain = chain_of(nostr, ("add", add("github:alice")))
    consent = alice.rotate_consent(event_payload(chain, "rotate", rotate(alice.public), NOW))
    payload = event_payload(chain, "rotate", rotate(alice.public, consent), NOW)
    with pytest.raises(SigchainError, match="another algorithm"):
        chain.append(event_from_envelope(nostr.sigchain_event(payload)))


def test_a_nip01_event(nostr):
    event = nostr.nostr_event(1, (("e", "x"), ("p",)), 'say "hi"\n\\ \t\x01 ü 😀', NOW)
    value = event.to_value()
    assert read_event(value) == event
    for name, bad in [
        ("id", "00" * 32), ("pubkey", "00" * 32), ("sig", "00" * 64), ("sig", "zz" * 64), ("sig", 7),
        ("created_at", -1), ("created_at", True), ("kind", 70_000), ("content", None), ("content", "other"),
        ("tags", None), ("tags", [[1]]), ("tags", ["x"]), ("tags", [["x"] * 65]), ("tags", [[]] * 2_001),
        ("content", "x" * (256 * 1024 + 1)),
    ]:  # fmt: skip
        with pytest.raises(KezError):
            read_event(value | {name: bad})
    with pytest.raises(EnvelopeError):
        read_event([])
    with pytest.raises(CanonicalError):
        nostr.nostr_event(1, (), "\ud800", NOW)


# An event of the public network's first weeks, so that we do not only agree with ourselves.
REAL = {
    "id": "d7dd5eb3ab747e16f8d0212d53032ea2a7cadef53837e5a6c66d42849fcb9027",
    "kind": 1,
    "pubkey": "22e804d26ed16b68db5259e78449e96dab5d464c8f470bda3eb1a70467f2c793",
    "created_at": 1670869179,
    "content": 'NOSTR "WINE-ACCOUNT" WITH HARVEST DATE STAMPED\n\n\n"The older the wine, the greater its reputation"\n\n\n22a12a128a3be27cd7fb250cbe796e692896398dc1440ae3fa567812c8107c1c\n\n\nNWA 2022-12-12\nAA',
    "tags": [["client", "astral"], ["p", "22a12a128a3be27cd7fb250cbe796e692896398dc1440ae3fa567812c8107c1c"]],
    "sig": "f110e4fdf67835fb07abc72469933c40bdc7334615610cade9554bf00945a1cebf84f8d079ec325d26fefd76fe51cb589bdbe208ac9cdbd63351ddad24a57559",
}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "pubkey", "sig", "tags", "kind"]), x, max_size=5)
        ),
    )
)
def test_any_value_is_an_event_or_a_typed_error(value):
    with pytest.raises(KezError):
        read_event(value)

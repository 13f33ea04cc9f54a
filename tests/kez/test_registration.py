"""Handle registrations, for the home server and for every peer that reads one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.envelope import Envelope, decode_envelope, encode_envelope
from kezd.kez.errors import RegistrationError
from kezd.kez.handles import Handle, parse_handle
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import ALG_ED25519, Seed, SigningKey
from kezd.kez.registration import FRESHNESS, Reason, Registration, registration_payload, verify_registration
from kezd.kez.signing import Signer

NOW = 1_767_225_600
SEED = Seed(b"\x0a" * 32)
KEY = SigningKey(SEED)
HANDLE = Handle("alice", "kez.lat")
GOOD = registration_payload(HANDLE, SigningKey(SEED).public, NOW)


def signed(kind="handle_registration", key=None, sign=KEY, **members):
    payload = GOOD | members
    sig = sign.sign(canonicalize(payload)).hex()
    return Envelope(kind, payload, ALG_ED25519, key or payload["primary"], sig)


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{9,31}", fullmatch=True), st.integers(0, 2**33))
def test_round_trip(name, at):
    signer = Signer(SEED)
    handle = parse_handle(name, "localhost:6969")
    envelope = signer.registration(registration_payload(handle, signer.public, at))
    again = decode_envelope(encode_envelope(envelope))
    expected = Registration(handle, signer.public, at)
    assert verify_registration(again, server="localhost:6969", now=at) == expected
    assert verify_registration(again, server="LOCALHOST:6969", now=None) == expected


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        (signed(kind="claim"), Reason.WRONG_TYPE),
        (signed(type="kez.claim"), Reason.WRONG_TYPE),
        (signed(version=2), Reason.WRONG_VERSION),
        (signed(version=True), Reason.BAD_ENVELOPE),
        (signed(created_at="now"), Reason.BAD_ENVELOPE),
        (signed(extra=[[]] * 3, key="ed25519:" + "00" * 32), Reason.KEY_MISMATCH),
        (signed(primary="ed25519:" + "00" * 32), Reason.BAD_KEY),
        (signed(primary="nostr:npub1"), Reason.BAD_KEY),
        (signed(sign=SigningKey(Seed(bytes(32)))), Reason.BAD_SIGNATURE),
        (signed(server="other.example"), Reason.SERVER_MISMATCH),
        (signed(server=None), Reason.SERVER_MISMATCH),
        (signed(server="KEZ.lat"), Reason.SERVER_MISMATCH),
        (signed(handle="admin"), Reason.BAD_HANDLE),
        (signed(handle="Alice"), Reason.BAD_HANDLE),
        (signed(handle="alice@kez.lat"), Reason.BAD_HANDLE),
        (signed(handle=7), Reason.BAD_HANDLE),
    ],
)
def test_each_reason(envelope, reason):
    with pytest.raises(RegistrationError) as caught:
        verify_registration(envelope, server="kez.lat", now=NOW)
    assert caught.value.reason == reason
    with pytest.raises(RegistrationError):
        verify_registration(envelope, server="kez.lat", now=None)


@pytest.mark.parametrize("off", [-FRESHNESS, 0, FRESHNESS])
def test_five_minutes_either_way_are_fresh(off):
    assert verify_registration(signed(), server="kez.lat", now=NOW + off).created_at == NOW


@pytest.mark.parametrize("off", [-FRESHNESS - 1, FRESHNESS + 1])
def test_more_is_stale(off):
    with pytest.raises(RegistrationError) as caught:
        verify_registration(signed(), server="kez.lat", now=NOW + off)
    assert caught.value.reason == Reason.STALE_DATE
    assert verify_registration(signed(), server="kez.lat", now=None).handle == HANDLE

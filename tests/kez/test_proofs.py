"""Claims, the four encodings, and finding a proof in any text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez import proofs
from kezd.kez.claims import claim_payload, verify_claim
from kezd.kez.encodings import compress, encode_base64url
from kezd.kez.envelope import Envelope
from kezd.kez.errors import EncodingError, EnvelopeError, IdentifierError, SignatureError
from kezd.kez.jcs import MAX_BYTES, canonicalize
from kezd.kez.keys import Seed
from kezd.kez.proofs import Encoding, encode_compact, encode_proof, find_proof, find_proofs
from kezd.kez.signing import Signer

NOW = 1_767_225_600
SUBJECTS = st.sampled_from(["github:alice", "dns:example.com", "web:example.com", "ap:alice@social.example"])
ALICE = Signer(Seed(b"\x0a" * 32))


def claim(subject="github:alice", **more):
    """A signed claim; `more` are members that `claim_payload` would not give it."""
    return ALICE.claim(claim_payload(ALICE.public, subject, NOW) | more)


def test_a_claim_and_its_expiry():
    forever = verify_claim(claim())
    assert (forever.primary, str(forever.subject), forever.created_at) == (ALICE.public, "github:alice", NOW)
    assert not forever.has_expired(1e12)
    payload = claim_payload(ALICE.public, "github:@Alice", NOW, NOW + 60)
    passing = verify_claim(ALICE.claim(payload))
    assert payload["subject"] == "github:alice"
    assert not passing.has_expired(NOW + 59.9)
    assert passing.has_expired(NOW + 60)
    with pytest.raises(EnvelopeError):
        claim_payload(ALICE.public, "github:alice", NOW, NOW)
    with pytest.raises(IdentifierError):
        claim_payload(ALICE.public, ALICE.public.primary, NOW)


@pytest.mark.parametrize(
    "more",
    [
        {"subject": "github:Alice"}, {"subject": "alice"}, {"subject": 7}, {"subject": None},
        {"expires_at": "never"}, {"expires_at": 7}, {"expires_at": None},
    ],
)  # fmt: skip
def test_what_is_no_claim(more):
    with pytest.raises(EnvelopeError):
        verify_claim(ALICE.claim(claim_payload(ALICE.public, "github:alice", NOW) | more))


def test_a_claim_does_not_count_as_another_kind(alice):
    with pytest.raises(EnvelopeError):
        alice.claim(claim_payload(alice.public, "github:alice", NOW) | {"type": "kez.sigchain.event"})
    good = claim()
    with pytest.raises(SignatureError):
        verify_claim(Envelope(good.kind, good.payload, good.alg, good.key, "00" * 64))


@given(SUBJECTS, st.sampled_from(Encoding), st.text(max_size=200), st.text(max_size=200))
def test_every_encoding_is_found_in_any_text(subject, encoding, before, after):
    envelope = claim(subject)
    text = encode_proof(envelope, encoding, "example.com")
    # What touches it is a space: base64url has no end of its own.
    found, _ = find_proofs(f"{before.replace('{', '')} {text} {after}")
    assert envelope in [one.envelope for one in found]
    assert find_proof(text) == envelope


@given(st.text(max_size=400))
def test_any_text_has_a_proof_or_says_why_not(text):
    with pytest.raises(EncodingError):
        find_proof(text)


@given(st.sampled_from(Encoding), st.data())
def test_a_damaged_proof_is_none_or_the_same(encoding, data):
    envelope = claim()
    text = encode_proof(envelope, encoding, "example.com")
    cut = data.draw(st.integers(0, len(text)))
    found, broken = find_proofs(text[:cut])
    assert [one.envelope for one in found] in ([], [envelope])
    if not found and "kez:z1:" in text[:cut]:
        assert broken


def test_a_long_claim_in_dns_strings():
    envelope = claim(note="n" * 40 + "".join(chr(0x4E00 + i * 7) for i in range(900)))
    strings = proofs.encode_txt(envelope)
    assert len(strings) > 3
    assert all(len(part) <= 255 for part in strings)
    line = proofs.encode_zone_line("example.com", envelope)
    assert line.startswith('_kez.example.com. 3600 IN TXT ( "kez:z1:')
    # A zone line, what dig prints, and the strings joined as a resolver's user joins them.
    dig = "_kez.example.com.\t300\tIN\tTXT\t" + " ".join(f'"{part}"' for part in strings)
    folded = '( "' + '"\n      "'.join(strings) + '" )'
    for text in (line, dig, folded, "".join(strings)):
        assert find_proof(text) == envelope


def test_what_is_wrong_and_where():
    compact = encode_compact(claim())
    cases = {
        f"hello\n  {compact[:-9]} bye": r"line 2, column 3\), but its (zstd frame|base64url) is",
        "kez:z1: nothing": "nothing follows",
        "kez:z1:AAAA": "zstd frame",
        "kez:z1:A": "base64url",
        '{"kez": "claim"': "its JSON is cut",
        '{"kez": "claim"}': "not a signature envelope",
        '{"kez": 1.5, "kez": 2}': "its JSON is not good",
        '{"kez": "' + "x" * MAX_BYTES + '"}': f"more than {MAX_BYTES} bytes",
        "```kez\nnothing\n```": "a fence labelled kez is here",
        "nothing at all": "no KEZ proof is here",
        "kez:z1:" + encode_base64url(compress(b"[]")): "not a signature envelope",
        f"{compact} {encode_compact(claim('dns:example.com'))}": "2 different KEZ proofs",
    }
    for text, words in cases.items():
        with pytest.raises(EncodingError, match=words):
            find_proof(text)


def test_the_same_proof_twice_is_one_proof():
    envelope = claim()
    text = encode_proof(envelope, Encoding.MARKDOWN) + encode_proof(envelope, Encoding.JSON)
    assert find_proof(text) == envelope


def test_a_bomb_is_an_error_and_not_memory():
    bomb = "kez:z1:" + encode_base64url(compress(b'{"kez":"' + b" " * 50_000_000 + b'"}'))
    found, broken = find_proofs(bomb)
    assert found == []
    assert "zstd" in broken[0].why


def test_pretty_json_with_members_in_any_order():
    value = claim().to_value()
    text = (
        "my proof:\n" + '{\n  "signature": ' + canonicalize(value["signature"]).decode() + ',\n  "payload" : '
    )
    text += canonicalize(value["payload"]).decode() + ',\n "kez": "claim"\n}\nthanks'
    assert find_proof(text) == claim()


@pytest.mark.parametrize(
    "page",
    [
        '{"kez":' * 100_000,
        '{"kez":"' * 100_000,
        "kez:z1:" * 100_000,
        "kez:z1:" + "A" * 1_000_000,
        'kez:z1:A" "' * 50_000,
        "kez:z1:AAAA" + '" "AAAA' * 100_000,
        "{" * 1_000_000,
        '{"kez":' + "[" * 60_000 + "]" * 60_000 + "}",
        '{"payload":{"kez":{"signature":' * 20_000,
        ("`" * 50 + "\n") * 20_000,
    ],
    ids=range(10),
)
def test_a_hostile_page_costs_little(page):
    begun = time.process_time()
    found, broken = find_proofs(page)
    assert found == []
    assert len(broken) <= proofs.MAX_CANDIDATES
    assert time.process_time() - begun < 5, "linear and capped, or a page could hold the peer up"


def test_one_good_proof_among_hundreds_of_others():
    mine = claim()
    noise = "kez:z1:AAAA " * 100
    found, broken = find_proofs(f"{noise}{encode_compact(mine)} {noise}")
    assert [one.envelope for one in found] == [mine]
    assert len(broken) == 200

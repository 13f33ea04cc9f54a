"""Two readers, one answer: kezd and the second reader beside this file, over vectors, random chains and damage."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the second reader is no part of any package

import kez_chain  # noqa: E402
import kez_curves  # noqa: E402
import kez_reader  # noqa: E402

from kezd.kez.claims import claim_payload, verify_claim  # noqa: E402
from kezd.kez.encodings import compress, encode_base64url  # noqa: E402
from kezd.kez.envelope import decode_envelope, encode_envelope, verify_envelope  # noqa: E402
from kezd.kez.errors import IdentifierError, KezError  # noqa: E402
from kezd.kez.handles import Handle  # noqa: E402
from kezd.kez.identifiers import parse_identifier  # noqa: E402
from kezd.kez.jcs import canonicalize, parse_json  # noqa: E402
from kezd.kez.keys import PublicKey, Seed  # noqa: E402
from kezd.kez.nostr_keys import NostrKey, NostrSecret, parse_any_primary  # noqa: E402
from kezd.kez.nostr_signing import NostrSigner  # noqa: E402
from kezd.kez.profile import profile_payload  # noqa: E402
from kezd.kez.proofs import Encoding, encode_proof, find_proof  # noqa: E402
from kezd.kez.registration import registration_payload  # noqa: E402
from kezd.kez.sender_tag import inbox_prefix  # noqa: E402
from kezd.kez.sigchain import (  # noqa: E402
    Chain,
    add,
    add_device,
    add_iroh_endpoint,
    add_nats_endpoint,
    decode_bundle,
    decode_jsonl,
    encode_bundle,
    encode_jsonl,
    event_from_envelope,
    event_payload,
    remove_endpoint,
    revoke,
    revoke_device,
    rotate,
    set_shared_files,
)
from kezd.kez.signing import Signer  # noqa: E402

VECTORS = HERE.parent / "vectors"
NOW = 1_767_225_600
ED25519 = [Signer(Seed(bytes([number]) * 32)) for number in range(10, 16)]
NOSTR = [NostrSigner(NostrSecret(bytes([number]) * 32)) for number in range(1, 7)]
SHORT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SUBJECTS = st.sampled_from(
    [
        "github:alice",
        "dns:a.example",
        "web:a.example",
        "ap:a@b.example",
        "bluesky:a.example",
        "did:x",
        "ens:\u0430.eth",
    ]
)


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def both(ours, theirs):
    """Whether each of the two takes it: they have to say the same."""
    return _takes(ours, KezError), _takes(theirs, kez_reader.RefusedError)


def _takes(read, refusal):
    try:
        read()
    except refusal:
        return False
    return True


# --- vectors -----------------------------------------------------------------------------


def test_bip340_vectors_in_plain_integers():
    with (VECTORS / "bip340.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 15
    for row in rows:
        key, message, signature = (
            bytes.fromhex(row[name]) for name in ("public key", "message", "signature")
        )
        assert kez_curves.bip340_holds(key, message, signature) == (row["verification result"] == "TRUE"), row


def test_ed25519_vectors():
    found = vectors("ed25519")
    for row in found["valid"]:
        key, message, signature = (bytes.fromhex(row[name]) for name in ("public", "message", "signature"))
        assert kez_curves.ed25519_holds(key, message, signature)
        s = int.from_bytes(signature[32:], "little") + kez_curves.L
        assert not kez_curves.ed25519_holds(key, message, signature[:32] + s.to_bytes(32, "little"))
    assert int(found["group_order"]) == kez_curves.L
    assert not any(kez_curves.is_ed25519_key(bytes.fromhex(point)) for point in found["small_order"])


def test_jcs_vectors():
    for row in vectors("jcs")["valid"]:
        assert kez_reader.jcs(kez_reader.parse(row["json"].encode())).decode() == row["jcs"]
    for row in vectors("jcs")["invalid"]:
        data = row["json"].encode("utf-8", "surrogatepass")
        assert both(lambda d=data: parse_json(d), lambda d=data: kez_reader.parse(d)) == (False, False), row[
            "why"
        ]


def test_envelope_vectors():
    for row in vectors("envelopes")["valid"]:
        value = kez_reader.parse(row["json"].encode())
        kez_reader.envelope(value, row["kind"])
        assert (
            kez_reader.jcs(value["payload"]).decode() == row["jcs"]
            or row["jcs"] == kez_reader.jcs(value).decode()
        )
    for row in vectors("envelopes")["invalid"]:
        data, kind = row["json"].encode(), row["kind"]
        ours = lambda d=data, k=kind: verify_envelope(decode_envelope(d), k)  # noqa: E731
        theirs = lambda d=data, k=kind: kez_reader.envelope(kez_reader.parse(d), k)  # noqa: E731
        assert both(ours, theirs) == (False, False), row["why"]


def test_sigchain_vectors():
    for row in vectors("sigchain")["valid"]:
        genesis = Signer(Seed(bytes.fromhex(row["seed"]))).public
        data = "".join(line + "\n" for line in row["jsonl"]).encode()
        state, head = kez_chain.jsonl(data, genesis.primary)
        assert head in (row["head"], row["head"] if isinstance(row["head"], str) else row["head"]["hash"])
        assert state.keys[-1].text.endswith(row["current"].removeprefix("ed25519:"))
        assert kez_chain.bundle(row["bundle"], genesis.primary)[1] == head
    for row in vectors("sigchain")["invalid"]:
        genesis = Signer(Seed(bytes.fromhex(row["seed"]))).public
        data = "".join(line + "\n" for line in row["jsonl"]).encode()
        agreed = both(
            lambda d=data, g=genesis: decode_jsonl(d, g),
            lambda d=data, g=genesis: kez_chain.jsonl(d, g.primary),
        )
        assert agreed == (False, False), row["why"]


# --- what the peer makes -------------------------------------------------------------------


@SHORT
@given(st.sampled_from([*ED25519, *NOSTR]), SUBJECTS, st.none() | st.integers(1, 10**9))
def test_claims_in_all_four_encodings(signer, subject, lasts):
    until = None if lasts is None else NOW + lasts
    envelope = signer.claim(claim_payload(signer.public, subject, NOW, until))
    for encoding in Encoding:
        text = encode_proof(envelope, encoding, "a.example")
        assert kez_reader.claim(kez_reader.proof(text)) == (signer.public.primary, subject, NOW, until)
        assert find_proof(text) == envelope


def test_registrations_and_profiles():
    handle, signer = Handle("alice", "kez.test"), ED25519[0]
    registration = signer.registration(registration_payload(handle, signer.public, NOW))
    profile = signer.profile_proofs(profile_payload(handle, signer.public, ["github:alice"], NOW))
    for envelope in (registration, profile):
        assert kez_reader.envelope(kez_reader.parse(encode_envelope(envelope)))["handle"] == "alice"


@SHORT
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=20,
    )
)
def test_jcs_gives_the_same_bytes(value):
    data = canonicalize(value)
    assert kez_reader.jcs(value) == data
    assert kez_reader.parse(data) == value == parse_json(data)


MEMBERS = st.one_of(
    SUBJECTS.map(lambda name: ("add", add(name, "https://a.example/kez.md"))),
    SUBJECTS.map(lambda name: ("add", add(name))),
    SUBJECTS.map(lambda name: ("revoke", revoke(name, "sold"))),
    st.sampled_from(["0", "1"]).map(
        lambda d: ("add_device", add_device(d, "a phone", ED25519[3].public, ["chat"]))
    ),
    st.sampled_from(["0", "1"]).map(lambda d: ("revoke_device", revoke_device(d))),
    st.just(("add_endpoint", add_iroh_endpoint("ab" * 32))),
    st.just(("remove_endpoint", remove_endpoint("iroh", "ab" * 32))),
    st.integers(1, 9).map(lambda seq: ("set_shared_files", set_shared_files("cd" * 32, seq))),
    st.just(("a_later_op", {"whatever": [1, {"deep": None}]})),
    st.sampled_from(["nats", "rotate"]).map(lambda what: (what, {})),
)


def grown(keys, steps):
    """A chain of these steps; `nats` and `rotate` are filled in with the key of that moment."""
    signers = iter(keys)
    signer = next(signers)
    chain = Chain.empty(signer.public)
    for number, (op, members) in enumerate(steps):
        after = signer
        if op == "nats":
            if isinstance(signer, NostrSigner):
                continue
            op, members = (
                "add_endpoint",
                add_nats_endpoint("wss://Kez.test:8443/", inbox_prefix(signer.public), [2]),
            )
        elif op == "rotate":
            after = next(signers, None)
            if after is None:
                return chain
            asked = event_payload(chain, "rotate", rotate(after.public), NOW + number)
            members = rotate(after.public, after.rotate_consent(asked))
        payload = event_payload(chain, op, members, NOW + number)
        chain, signer = chain.append(event_from_envelope(signer.sigchain_event(payload))), after
    return chain


CHAINS = st.builds(grown, st.sampled_from([ED25519, NOSTR]), st.lists(MEMBERS, min_size=1, max_size=8))


@SHORT
@given(CHAINS)
def test_random_chains_come_to_the_same(chain):
    genesis = chain.genesis.primary
    state, head = kez_chain.jsonl(encode_jsonl(chain), genesis)
    assert head == (chain.head.hash if chain.head else None)
    assert [key.text for key in state.keys] == [
        *(k.primary for k, _ in chain.retired_keys),
        chain.current.primary,
    ]
    assert state.subjects == {str(one.subject): one.proof_url for one in chain.subjects}
    assert state.revoked == {str(one) for one in chain.revoked_subjects}
    assert state.devices == {d.device: (d.name, d.key.primary, list(d.capabilities)) for d in chain.devices}
    assert state.nats == {e.url: (e.inbox, list(e.accepts)) for e in chain.nats_endpoints}
    assert state.iroh == {e.node_id for e in chain.iroh_endpoints}
    assert state.shared == (None if chain.shared_files is None else (chain.shared_files.manifest, chain.shared_files.seq))  # fmt: skip
    assert kez_chain.bundle(encode_bundle(chain), genesis)[1] == head


# --- damage --------------------------------------------------------------------------------


def damaged(data, at, byte, how):
    place = at % len(data)
    match how:
        case "changed":
            return data[:place] + bytes([byte]) + data[place + 1 :]
        case "gone":
            return data[:place] + data[place + 1 :]
        case "cut":
            return data[:place]
        case "more":
            return data[:place] + bytes([byte]) + data[place:]
        case _:
            half = place // 2
            return data[:half] + data[place:] + data[half:place]


DAMAGE = st.tuples(
    st.integers(0, 10**6),
    st.integers(0, 255),
    st.sampled_from(["changed", "gone", "cut", "more", "moved"]),
)


@settings(SHORT, max_examples=150)
@given(st.sampled_from([ED25519[0], NOSTR[0]]), DAMAGE)
def test_damaged_envelopes_are_judged_the_same(signer, damage):
    envelope = signer.claim(claim_payload(signer.public, "github:alice", NOW))
    data = damaged(encode_envelope(envelope), *damage)
    ours, theirs = both(
        lambda: verify_claim(decode_envelope(data)), lambda: kez_reader.claim(kez_reader.parse(data))
    )
    assert ours == theirs


@settings(SHORT, max_examples=150)
@given(CHAINS.filter(lambda chain: chain.head), DAMAGE)
def test_damaged_chains_are_judged_the_same(chain, damage):
    data = damaged(encode_jsonl(chain), *damage)
    ours, theirs = both(
        lambda: decode_jsonl(data, chain.genesis), lambda: kez_chain.jsonl(data, chain.genesis.primary)
    )
    assert ours == theirs
    bundle = damaged(encode_bundle(chain).encode(), *damage).decode("latin-1")
    ours, theirs = both(
        lambda: decode_bundle(bundle, chain.genesis), lambda: kez_chain.bundle(bundle, chain.genesis.primary)
    )
    assert ours == theirs


@settings(SHORT, max_examples=80)
@given(
    st.dictionaries(
        st.sampled_from(["subject", "expires_at", "created_at", "version", "type", "extra"]),
        st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=8) | SUBJECTS
        | st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "GitHub:a"]),
        max_size=3,
    )
)  # fmt: skip
def test_signed_nonsense_is_judged_the_same(more):
    """Signed by the right key, so that form alone decides."""
    signer = ED25519[0]
    payload = claim_payload(signer.public, "github:alice", NOW) | more
    data = canonicalize(
        {
            "kez": "claim",
            "payload": payload,
            "signature": {
                "alg": "ed25519-sha512-jcs",
                "key": signer.public.primary,
                "sig": signer._key.sign(canonicalize(payload)).hex(),
            },
        }
    )
    ours, theirs = both(
        lambda: verify_claim(decode_envelope(data)), lambda: kez_reader.claim(kez_reader.parse(data))
    )
    assert ours == theirs


@settings(SHORT, max_examples=200)
@given(
    st.one_of(
        st.text(max_size=20),
        st.tuples(
            st.sampled_from(["github", "dns", "ap", "bluesky", "web", "did", "nostr", "mastodon", "GITHUB"]),
            st.text(alphabet="ab.@-_A \u0430\u200b", max_size=12),
        ).map(":".join),
    )
)
def test_subjects_in_normal_form_are_the_same_ones(text):
    def ours():
        if str(parse_identifier(text)) != text:
            raise IdentifierError("not in normal form")

    assert len(set(both(ours, lambda: kez_reader.subject(text)))) == 1


@given(st.binary(min_size=32, max_size=32))
@settings(SHORT, max_examples=60)
def test_the_same_keys_are_usable(raw):
    for key in (PublicKey(raw), NostrKey(raw)):
        text = key.primary
        ours, theirs = both(lambda t=text: parse_any_primary(t), lambda t=text: kez_reader.Key(t))
        assert ours == theirs


@pytest.mark.parametrize("point", vectors("ed25519")["small_order"])
def test_no_key_of_small_order(point):
    text = f"ed25519:{point}"
    assert both(lambda: parse_any_primary(text), lambda: kez_reader.Key(text)) == (False, False)


def test_bombs_and_two_frames_are_refused_by_both():
    bomb = "kez:z1:" + encode_base64url(compress(b"{" + b" " * 10_000_000))
    good = compress(encode_envelope(ED25519[0].claim(claim_payload(ED25519[0].public, "github:alice", NOW))))
    for text in (bomb, "kez:z1:" + encode_base64url(good + good), "kez:z1:" + encode_base64url(good[:-1])):
        assert both(lambda t=text: find_proof(t), lambda t=text: kez_reader.proof(t)) == (False, False)


def test_the_second_reader_knows_nothing_of_kezd(tmp_path):
    for source in HERE.glob("kez_*.py"):
        assert "import kezd" not in source.read_text()
        assert "from kezd" not in source.read_text()
    chain = grown(ED25519, [("add", add("github:alice")), ("rotate", {}), ("nats", {})])
    path = tmp_path / "chain.jsonl"
    path.write_bytes(encode_jsonl(chain))
    done = subprocess.run(
        [sys.executable, str(HERE / "kez_chain.py"), str(path)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {
        "genesis": chain.genesis.primary,
        "current": chain.current.primary,
        "head": chain.head.hash,
    }

"""Every operation: its builder, its reading, its effect; unknown ones are kept and skipped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import IdentifierError, KezError, SigchainError
from kezd.kez.identifiers import Identifier
from kezd.kez.keys import PublicKey
from kezd.kez.sender_tag import inbox_prefix
from kezd.kez.sigchain import (
    Add,
    Chain,
    Device,
    IrohEndpoint,
    NatsEndpoint,
    SharedFiles,
    Unknown,
    add,
    add_device,
    add_iroh_endpoint,
    add_nats_endpoint,
    event_from_envelope,
    event_payload,
    remove_endpoint,
    revoke,
    revoke_device,
    set_shared_files,
)
from kezd.kez.sigchain.ops import read_action

URL = "nats://127.0.0.1:4222"
NODE = "ab" * 32


def grown(signer, *steps):
    chain = Chain.empty(signer.public)
    for op, members in steps:
        payload = event_payload(chain, op, members, 1_767_225_600)
        chain = chain.append(event_from_envelope(signer.sigchain_event(payload)))
    return chain


def test_add_and_revoke(alice):
    proof = "https://gist.github.com/alice/1"
    octocat, lat = Identifier("github", "octocat"), Identifier("dns", "kez.lat")
    chain = grown(
        alice,
        ("add", add("github:@Octocat", proof)),
        ("add", add("dns:kez.lat")),
        ("revoke", revoke("ens:a.eth")),
    )
    assert chain.subjects == (Add(octocat, proof), Add(lat, None))
    assert chain.revoked_subjects == (Identifier("ens", "a.eth"),)
    chain = grown(alice, ("add", add("dns:kez.lat")), ("revoke", revoke("dns:kez.lat", "sold it")))
    assert (chain.subjects, chain.revoked_subjects) == ((), (lat,))
    chain = grown(alice, ("revoke", revoke("dns:kez.lat")), ("add", add("dns:kez.lat")))
    assert (chain.subjects, chain.revoked_subjects) == ((Add(lat, None),), ())


def test_devices(alice, bob):
    members = add_device("1", "Alice's phone", bob.public, ["chat"])
    chain = grown(alice, ("add_device", members), ("revoke_device", revoke_device("7")))
    assert chain.devices == (Device("1", "Alice's phone", bob.public, ("chat",)),)
    chain = grown(alice, ("add_device", members), ("revoke_device", revoke_device("1")))
    assert chain.devices == ()


def test_endpoints(alice):
    nats = ("add_endpoint", add_nats_endpoint(URL, inbox_prefix(alice.public), [2]))
    newer = ("add_endpoint", add_nats_endpoint(URL, inbox_prefix(alice.public), [2, 3]))
    iroh = ("add_endpoint", add_iroh_endpoint(NODE))
    chain = grown(alice, nats, iroh)
    assert chain.nats_endpoints == (NatsEndpoint(URL, inbox_prefix(alice.public), (2,)),)
    assert chain.iroh_endpoints == (IrohEndpoint(NODE),)
    assert grown(alice, nats, newer).nats_endpoints[0].accepts == (2, 3)
    chain = grown(
        alice,
        nats,
        iroh,
        ("remove_endpoint", remove_endpoint("nats", URL)),
        ("remove_endpoint", remove_endpoint("iroh", NODE)),
        ("remove_endpoint", remove_endpoint("iroh", NODE)),
        ("remove_endpoint", remove_endpoint("pigeon", "x")),
    )
    assert (chain.nats_endpoints, chain.iroh_endpoints) == ((), ())


def test_the_inbox_of_somebody_else_is_refused(alice, bob):
    with pytest.raises(SigchainError, match="inbox"):
        grown(alice, ("add_endpoint", add_nats_endpoint(URL, inbox_prefix(bob.public), [2])))


def test_shared_files(alice):
    assert grown(alice).shared_files is None
    chain = grown(
        alice,
        ("set_shared_files", set_shared_files("00" * 32, 1)),
        ("set_shared_files", set_shared_files(NODE, 2)),
    )
    assert chain.shared_files == SharedFiles(NODE, 2)


def test_what_is_unknown_is_kept_and_skipped(alice):
    chain = grown(alice, ("fly_to_the_moon", {"when": [1, None]}), ("add_endpoint", {"protocol": "pigeon"}))
    assert [event.action for event in chain.events] == [Unknown("fly_to_the_moon"), Unknown("add_endpoint")]
    assert chain.events[0].members == {"when": [1, None]}
    assert (chain.nats_endpoints, chain.subjects, chain.devices) == ((), (), ())


def test_members_beyond_the_known_are_kept(alice):
    chain = grown(alice, ("add", add("dns:kez.lat") | {"note": "x"}))
    assert chain.events[0].members["note"] == "x"
    assert len(chain.subjects) == 1


NATS = add_nats_endpoint(URL, "kez.inbox." + "00" * 32, [2])
DEVICE = {"device": "1", "name": "phone", "key": "", "capabilities": ["chat"]}
BAD = [
    ("add", {}),
    ("add", {"subject": 1}),
    ("add", {"subject": ""}),
    ("add", {"subject": "octocat"}),
    ("add", {"subject": "github:Octocat"}),
    ("add", {"subject": "dns:kez.lat", "proof_url": None}),
    ("add", {"subject": "dns:kez.lat", "proof_url": "http://x"}),
    ("add", {"subject": "dns:kez.lat", "proof_url": "https://a b"}),
    ("revoke", {"subject": "x"}),
    ("revoke", {"subject": "dns:kez.lat", "reason": 1}),
    ("revoke", {"subject": "dns:kez.lat", "reason": "x" * 257}),
    ("revoke", {"subject": "dns:kez.lat", "reason": "a\nb"}),
    ("add_endpoint", {}),
    ("add_endpoint", {"protocol": 1}),
    ("add_endpoint", {"protocol": "iroh"}),
    ("add_endpoint", {"protocol": "iroh", "node_id": NODE.upper()}),
    ("add_endpoint", NATS | {"url": "http://x"}),
    ("add_endpoint", NATS | {"url": "nats://a b"}),
    ("add_endpoint", NATS | {"url": "nats://user@host"}),
    ("add_endpoint", NATS | {"inbox": "kez.inbox.>"}),
    ("add_endpoint", NATS | {"accepts": []}),
    ("add_endpoint", NATS | {"accepts": 2}),
    ("add_endpoint", NATS | {"accepts": [True]}),
    ("add_endpoint", NATS | {"accepts": ["2"]}),
    ("add_endpoint", NATS | {"accepts": [0]}),
    ("add_endpoint", NATS | {"accepts": [256]}),
    ("add_endpoint", NATS | {"accepts": [2] * 17}),
    ("remove_endpoint", {}),
    ("remove_endpoint", {"protocol": "nats"}),
    ("remove_endpoint", {"protocol": "nats", "id": ""}),
    ("revoke_device", {}),
    ("revoke_device", {"device": "a.b"}),
    ("set_shared_files", {}),
    ("set_shared_files", {"manifest": NODE}),
    ("set_shared_files", {"manifest": NODE, "manifest_seq": 0}),
    ("set_shared_files", {"manifest": NODE, "manifest_seq": True}),
    ("set_shared_files", {"manifest": "x", "manifest_seq": 1}),
    ("rotate", {}),
    ("rotate", {"new_primary": "x"}),
]


@pytest.mark.parametrize(("op", "members"), BAD)
def test_bad_members_are_refused(op, members):
    with pytest.raises(SigchainError):
        read_action(op, members)


@pytest.mark.parametrize(
    "change",
    [
        {"device": "*"},
        {"device": None},
        {"name": ""},
        {"name": "a\u202eb"},
        {"key": "ed25519:x"},
        {"capabilities": None},
        {"capabilities": [1]},
        {"capabilities": ["a b"]},
        {"capabilities": ["x"] * 17},
    ],
)
def test_bad_devices_are_refused(change, bob):
    good = DEVICE | {"key": bob.public.primary}
    assert read_action("add_device", good) == Device("1", "phone", bob.public, ("chat",))
    with pytest.raises(SigchainError):
        read_action("add_device", good | change)


@pytest.mark.parametrize(
    "consent",
    [
        None,
        {},
        {"alg": "ed25519-sha512-jcs"},
        {"alg": "ed25519-sha512-jcs", "sig": "00" * 64, "x": 1},
        {"alg": "ed25519-sha512-jcs", "sig": "00"},
        {"alg": "ed25519-sha512-jcs", "sig": 1},
        {"alg": "rsa", "sig": "00" * 64},
        {"alg": None, "sig": "00" * 64},
    ],
)
def test_bad_consents_are_refused(consent, bob):
    with pytest.raises(SigchainError):
        read_action("rotate", {"new_primary": bob.public.primary, "new_signature": consent})


def test_builders_refuse_what_a_reader_would_refuse(alice):
    with pytest.raises(IdentifierError):
        add("octocat")
    with pytest.raises(SigchainError):
        event_payload(alice.public, "add", {}, 0)
    for op, members in (("Add", {}), ("", {}), ("x", {"seq": 1}), ("x", {"primary": "y"})):
        with pytest.raises(SigchainError):
            event_payload(alice.public, op, members, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=9), v, max_size=3),
    max_leaves=6,
)
NAMES = [
    "subject",
    "protocol",
    "device",
    "id",
    "url",
    "inbox",
    "accepts",
    "manifest",
    "new_primary",
    "new_signature",
]
OPS = [
    "add",
    "revoke",
    "rotate",
    "add_device",
    "revoke_device",
    "add_endpoint",
    "remove_endpoint",
    "set_shared_files",
]


@given(st.sampled_from(OPS), st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_members_are_an_action_or_a_typed_error(op, members):
    try:
        read_action(op, members)
    except KezError:
        return


def test_keys_of_no_use_are_refused():
    with pytest.raises(KezError):
        read_action("rotate", {"new_primary": PublicKey(bytes(32)).primary})

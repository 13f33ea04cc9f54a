"""A sigchain under random owners and readers: everything that is allowed is, nothing else, and forks are seen.

A model (plain dictionaries) beside the real thing; writers who lag behind, keys that were
replaced, and a thief with an old head take part.
"""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kezd.kez.errors import ConflictError, ForkError, RollbackError, SigchainError, StaleError
from kezd.kez.keys import Seed
from kezd.kez.sigchain import (
    Chain,
    Event,
    Members,
    add,
    add_device,
    add_iroh_endpoint,
    compare,
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
)
from kezd.kez.signing import Signer

SUBJECTS = st.sampled_from(["github:alice", "dns:alice.test", "ap:alice@social.test", "bluesky:alice.test"])
DEVICES = st.sampled_from(["0", "1", "laptop"])
NODES = st.sampled_from([f"{number:064x}" for number in range(3)])


def signer(number: int) -> Signer:
    return Signer(Seed(number.to_bytes(32, "big")))


def signed(key: Signer, chain: Chain, op: str, members: Members) -> Event:
    return event_from_envelope(key.sigchain_event(event_payload(chain, op, members, 1_700_000_000)))


class ChainMachine(RuleBasedStateMachine):
    """One identity, its model, and a reader who looks now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = [signer(1)]
        self.chain = Chain.empty(self.keys[0].public)
        self.seen = self.chain
        self.subjects: dict[str, bool] = {}
        self.devices: set[str] = set()
        self.nodes: set[str] = set()

    def append(self, op: str, members: Members) -> None:
        event = signed(self.keys[-1], self.chain, op, members)
        before = self.chain
        self.chain = before.append(event)
        assert len(self.chain.events) == len(before.events) + 1
        assert self.chain.holds(event)

    @rule(subject=SUBJECTS)
    def add(self, subject: str) -> None:
        self.append("add", add(subject))
        self.subjects[subject] = True

    @rule(subject=SUBJECTS)
    def revoke(self, subject: str) -> None:
        self.append("revoke", revoke(subject))
        self.subjects[subject] = False

    @rule(device=DEVICES)
    def add_device(self, device: str) -> None:
        self.append("add_device", add_device(device, "a device", self.keys[-1].public, ["chat"]))
        self.devices.add(device)

    @rule(device=DEVICES)
    def revoke_device(self, device: str) -> None:
        self.append("revoke_device", revoke_device(device))
        self.devices.discard(device)

    @rule(node=NODES)
    def add_node(self, node: str) -> None:
        self.append("add_endpoint", add_iroh_endpoint(node))
        self.nodes.add(node)

    @rule(node=NODES)
    def remove_node(self, node: str) -> None:
        self.append("remove_endpoint", remove_endpoint("iroh", node))
        self.nodes.discard(node)

    @precondition(lambda self: len(self.keys) < 6)
    @rule()
    def rotate(self) -> None:
        new = signer(len(self.keys) + 1)
        asked = event_payload(self.chain, "rotate", rotate(new.public), 1_700_000_000)
        self.append("rotate", rotate(new.public, new.rotate_consent(asked)))
        self.keys.append(new)

    @precondition(lambda self: len(self.keys) > 1)
    @rule(subject=SUBJECTS, data=st.data())
    def an_old_key_signs_no_more(self, subject: str, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.keys[:-1]))
        payload = event_payload(self.chain, "add", add(subject), 1_700_000_000) | {
            "primary": old.public.primary
        }
        with pytest.raises(SigchainError):
            self.chain.append(event_from_envelope(old.sigchain_event(payload)))

    @rule(data=st.data())
    def no_key_comes_back(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.keys))
        asked = event_payload(self.chain, "rotate", rotate(known.public), 1_700_000_000)
        members = rotate(known.public, known.rotate_consent(asked))
        with pytest.raises(SigchainError):
            self.chain.append(signed(self.keys[-1], self.chain, "rotate", members))

    @precondition(lambda self: self.chain.events)
    @rule(subject=SUBJECTS, data=st.data())
    def a_writer_who_lags_behind_is_told_the_head(self, subject: str, data: st.DataObject) -> None:
        upto = data.draw(st.integers(0, len(self.chain.events) - 1))
        late = self.prefix(upto)
        key = next(key for key in self.keys if key.public == late.current)
        event = signed(key, late, "add", add(subject))
        if not self.chain.holds(event):
            with pytest.raises(ConflictError) as caught:
                self.chain.append(event)
            assert self.chain.head is not None
            assert (caught.value.seq, caught.value.hash) == (self.chain.head.seq, self.chain.head.hash)

    @precondition(lambda self: self.chain.events)
    @rule(data=st.data())
    def a_fork_is_seen_wherever_it_begins(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.chain.events) - 1))
        base = self.prefix(at)
        key = next(key for key in self.keys if key.public == base.current)
        other = base.append(signed(key, base, "add", add("github:mallory")))
        for origin in (True, False):
            with pytest.raises(ForkError) as caught:
                compare(self.chain, other, origin=origin)
            assert caught.value.seq == at + 1

    @rule()
    def the_reader_looks(self) -> None:
        self.seen = compare(self.seen, self.chain, origin=True)
        assert self.seen == self.chain

    @rule(data=st.data())
    def what_is_shown_shorter_is_stale_or_rolled_back(self, data: st.DataObject) -> None:
        shown = self.prefix(data.draw(st.integers(0, len(self.seen.events))))
        if len(shown.events) == len(self.seen.events):
            assert compare(self.seen, shown, origin=True) is self.seen
            return
        with pytest.raises(RollbackError):
            compare(self.seen, shown, origin=True)
        with pytest.raises(StaleError):
            compare(self.seen, shown, origin=False)

    @rule()
    def both_encodings_keep_it(self) -> None:
        genesis = self.chain.genesis
        data = encode_jsonl(self.chain)
        assert decode_jsonl(data, genesis) == self.chain
        assert len(data) == self.chain.size
        assert decode_bundle(encode_bundle(self.chain), genesis) == self.chain

    @invariant()
    def it_says_what_the_model_says(self) -> None:
        chain = self.chain
        assert chain.genesis == self.keys[0].public
        assert chain.current == self.keys[-1].public
        assert [key for key, _ in chain.retired_keys] == [key.public for key in self.keys[:-1]]
        assert {str(one.subject) for one in chain.subjects} == {
            s for s, there in self.subjects.items() if there
        }
        assert {str(s) for s in chain.revoked_subjects} == {
            s for s, there in self.subjects.items() if not there
        }
        assert {one.device for one in chain.devices} == self.devices
        assert {one.node_id for one in chain.iroh_endpoints} == self.nodes

    def prefix(self, count: int) -> Chain:
        return Chain.empty(self.chain.genesis).extend(self.chain.events[:count])


def _test_case() -> Any:
    case = ChainMachine.TestCase
    case.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
    return case


TestChains = _test_case()

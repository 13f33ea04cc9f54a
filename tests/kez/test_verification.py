"""The rule that gives a claim its status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.claims import claim_payload
from kezd.kez.envelope import Envelope
from kezd.kez.identifiers import parse_identifier
from kezd.kez.proofs import encode_compact
from kezd.kez.sigchain import Chain, add, event_from_envelope, event_payload, revoke, rotate
from kezd.kez.verification import Judgement, Place, Status, judge, summarise, with_chain

NOW = 1_767_225_600
SUBJECT = parse_identifier("github:alice")


def proof(signer, subject="github:alice", expires=None):
    return encode_compact(signer.claim(claim_payload(signer.public, subject, NOW, expires)))


def forged(signer):
    good = signer.claim(claim_payload(signer.public, "github:alice", NOW))
    return encode_compact(Envelope(good.kind, good.payload, good.alg, good.key, "00" * 64))


def chain_of(signer, *ops):
    chain = Chain.empty(signer.public)
    for op, members in ops:
        chain = chain.append(
            event_from_envelope(signer.sigchain_event(event_payload(chain, op, members, NOW)))
        )
    return chain


def status_of(text, primary=None, now=NOW + 1, chain=None):
    return judge(SUBJECT, primary, [Place("here", text)], now, chain).status


def test_each_status(alice, bob):
    mine = alice.public.primary
    assert status_of(proof(alice), mine) is Status.VALID
    assert status_of(proof(alice)) is Status.VALID
    assert status_of("hello", mine) is Status.NOT_FOUND
    assert status_of(proof(bob), mine) is Status.PRIMARY_MISMATCH
    assert status_of(proof(alice, "github:mallory"), mine) is Status.SUBJECT_MISMATCH
    assert status_of(proof(alice, expires=NOW + 60), mine) is Status.VALID
    assert status_of(proof(alice, expires=NOW + 60), mine, NOW + 60) is Status.EXPIRED
    assert status_of(forged(alice), mine) is Status.INVALID
    assert status_of("kez:z1:AAAA", mine) is Status.INVALID
    assert judge(SUBJECT, mine, [], NOW).status is Status.NOT_FOUND


def test_the_best_of_what_is_there(alice, bob):
    mine = alice.public.primary
    noise = f"kez:z1:AAAA {forged(alice)} {proof(bob)} {proof(alice, 'dns:example.com')} {proof(alice, expires=NOW + 1)}"
    assert status_of(noise, mine) is Status.EXPIRED
    found = judge(SUBJECT, mine, [Place("first", noise), Place("second", f"x {proof(alice)} y")], NOW + 1)
    assert (found.status, found.where) == (Status.VALID, "second")
    assert found.claim is not None
    assert found.claim.primary == alice.public


def test_keys_of_the_same_chain_speak_for_it(alice, bob, carol):
    unsigned = event_payload(Chain.empty(alice.public), "rotate", rotate(bob.public), NOW)
    chain = chain_of(alice, ("rotate", rotate(bob.public, bob.rotate_consent(unsigned))))
    assert status_of(proof(alice), bob.public.primary, chain=chain) is Status.VALID
    assert status_of(proof(bob), alice.public.primary, chain=chain) is Status.VALID
    assert status_of(proof(carol), alice.public.primary, chain=chain) is Status.PRIMARY_MISMATCH


def test_the_chain_takes_back(alice):
    kept = chain_of(alice, ("add", add("github:alice")))
    gone = chain_of(alice, ("add", add("github:alice")), ("revoke", revoke("github:alice")))
    good = judge(SUBJECT, None, [Place("here", proof(alice))], NOW)
    assert with_chain(good, SUBJECT, None) == good
    assert with_chain(good, SUBJECT, kept) == good
    assert with_chain(good, SUBJECT, gone).status is Status.REVOKED
    for status in (Status.UNREACHABLE, Status.FORK, Status.ROLLBACK):
        unclear = Judgement(status, "x")
        assert with_chain(unclear, SUBJECT, gone) == unclear


def test_could_not_check_is_no_failure():
    assert not Status.UNREACHABLE.checked
    assert all(status.checked for status in Status if status is not Status.UNREACHABLE)
    assert {status for status in Status if status.alarming} == {Status.FORK, Status.ROLLBACK}


@pytest.mark.parametrize(
    ("statuses", "one"),
    [
        ([], Status.NOT_FOUND),
        ([Status.VALID, Status.VALID], Status.VALID),
        ([Status.VALID, Status.UNREACHABLE], Status.UNREACHABLE),
        ([Status.UNREACHABLE, Status.NOT_FOUND, Status.VALID], Status.NOT_FOUND),
        ([Status.INVALID, Status.FORK, Status.VALID], Status.FORK),
        ([Status.REVOKED, Status.INVALID], Status.REVOKED),
    ],
)
def test_one_status_of_several(statuses, one):
    assert summarise(statuses) is one


@given(st.lists(st.sampled_from(Status)))
def test_a_summary_is_one_of_them(statuses):
    assert summarise(statuses) in (statuses or [Status.NOT_FOUND])


@given(st.text(max_size=300))
def test_any_page_is_judged(text):
    assert status_of(text) in Status

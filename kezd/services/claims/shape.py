"""Checks and claims as clients see them. Pure."""

import hashlib
from typing import Any

import msgspec

from kezd.api import types as t
from kezd.kez.claims import Claim, verify_claim
from kezd.kez.envelope import decode_envelope, encode_envelope
from kezd.kez.errors import KezError
from kezd.kez.identifiers import parse_identifier
from kezd.kez.proofs import encode_compact
from kezd.kez.sigchain import Chain
from kezd.kez.verification import Judgement, Status, with_chain
from kezd.services.claims.people import Person
from kezd.store.checks import StoredCheck
from kezd.store.claims import StoredClaim

ALARMS = {"fork": "the sigchain has two versions", "rollback": "the sigchain is shorter than before"}


def millis(seconds: float | None) -> int | None:
    """Unix milliseconds."""
    return None if seconds is None else int(seconds * 1000)


def judgement_of(check: StoredCheck, chain: Chain | None, now: float) -> Judgement | None:
    """The last judgement as it stands now: expired meanwhile, or revoked; None when there was never one."""
    if check.status is None:
        return None
    claim = proof_of(check)
    judged = Judgement(check.status, check.reason, check.place, claim)
    if check.status is Status.VALID and claim is not None and claim.has_expired(now):
        judged = Judgement(Status.EXPIRED, "the claim was made for a time that is over", check.place, claim)
    return with_chain(judged, parse_identifier(check.subject), chain)


def proof_of(check: StoredCheck) -> Claim | None:
    """The proof that decided, verified once more."""
    if check.proof is None:
        return None
    try:
        return verify_claim(decode_envelope(check.proof))
    except KezError:  # it was kept by a version with other rules
        return None


def show_check(check: StoredCheck, person: Person | None, now: float) -> t.ClaimCheck:
    """A check as it stands now, with what the chain says."""
    judged = judgement_of(check, None if person is None else person.chain, now)
    status, reason = (None, "") if judged is None else (judged.status, judged.reason)
    if person is not None and person.alarm is not None:
        shown, reason = Status(person.alarm), ALARMS[person.alarm]
    elif check.trouble is not None:
        shown, reason = Status.UNREACHABLE, f"could not check: {check.trouble}"
    else:
        shown = status or Status.UNREACHABLE
    return t.ClaimCheck(
        subject=check.subject,
        primary=check.primary or None,
        status=shown.value,
        reason=reason,
        evidence=None if judged is None else _evidence(judged),
        checked_at=millis(check.checked_at),
        last_status=None if status is None else status.value,
        last_good_at=millis(check.last_good_at),
        retry_at=millis(check.retry_at) if check.retry_at > now else None,
    )


def _evidence(judged: Judgement) -> t.Evidence | None:
    if judged.claim is None:
        return t.Evidence(where=judged.where) if judged.where else None
    claim = judged.claim
    return t.Evidence(
        where=judged.where,
        proof=encode_compact(claim.envelope),
        proof_sha256=hashlib.sha256(encode_envelope(claim.envelope)).hexdigest(),
        signed_by=claim.primary.primary,
        signed_at=claim.created_at * 1000,
        expires_at=millis(claim.expires_at),
    )


def show_claim(claim: StoredClaim, check: t.ClaimCheck | None) -> t.ClaimItem:
    """A claim of ours."""
    verified = verify_claim(claim.envelope)
    return t.ClaimItem(
        subject=claim.subject,
        primary=verified.primary.primary,
        step=claim.step.value,
        created_at=verified.created_at * 1000,
        expires_at=millis(verified.expires_at),
        url=claim.url,
        check=check,
    )


def event_body(event: t.ClaimEvent) -> dict[str, Any]:
    """The body of an event of the topic `claim`."""
    body: dict[str, Any] = msgspec.to_builtins(event)
    return body

"""What became of checking a claim: one typed status, and the rule that gives it.

Pure: what was fetched comes in, a judgement comes out. Not here: fetching (`kezd.net.fetch`) and what to do about
it. Invariants: "could not be checked" and "does not hold" are never the same status; a claim counts only where it
names this subject and this primary, its signature holds, it has not expired, and the chain does not revoke it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from kezd.kez.claims import Claim, verify_claim
from kezd.kez.errors import KezError
from kezd.kez.identifiers import Identifier
from kezd.kez.proofs import find_proofs
from kezd.kez.sigchain import Chain

MAX_REASON: Final = 300  # characters


class Status(StrEnum):
    """How a check came out (docs/protocol/verification.md)."""

    VALID = "valid"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNREACHABLE = "unreachable"
    """It could not be checked; that says nothing about the claim."""
    FORK = "fork"
    ROLLBACK = "rollback"
    NOT_FOUND = "not_found"
    """Looked, and no proof is there."""
    INVALID = "invalid"
    """A proof is there whose encoding or signature does not hold."""
    SUBJECT_MISMATCH = "subject_mismatch"
    PRIMARY_MISMATCH = "primary_mismatch"

    @property
    def checked(self) -> bool:
        """Whether the claim was judged; if not, whatever was known before still stands."""
        return self is not Status.UNREACHABLE

    @property
    def alarming(self) -> bool:
        """Whether somebody may be lying, so that a person has to look."""
        return self in _ALARMING


_ALARMING: Final = frozenset({Status.FORK, Status.ROLLBACK})
# Of several things that were found, the one told: the nearest to a valid proof.
_TELLING: Final = (
    Status.VALID,
    Status.EXPIRED,
    Status.PRIMARY_MISMATCH,
    Status.SUBJECT_MISMATCH,
    Status.INVALID,
    Status.NOT_FOUND,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A text that only the subject can publish, as it was fetched.

    Attributes:
        where: URL or other name of the place.
        text: what stood there.
    """

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A status with its evidence.

    Attributes:
        status: how it came out.
        reason: one sentence for people.
        where: the place that decided, empty when there was none.
        claim: the claim that was judged, if one was found whose signature holds.
    """

    status: Status
    reason: str
    where: str = ""
    claim: Claim | None = None


def judge(
    subject: Identifier,
    primary: str | None,
    places: Iterable[Place],
    now: float,
    chain: Chain | None = None,
) -> Judgement:
    """Judge what was found for a subject.

    Args:
        subject: whose places they are.
        primary: the primary it is to be proven for; None to take the one that the proof names.
        places: in the order in which the channel trusts them.
        now: unix seconds.
        chain: the verified sigchain of the primary, if there is one; its former keys speak for it too.
    """
    judged = [one for place in places for one in _in_place(subject, primary, place, now, chain)]
    if not judged:
        return Judgement(Status.NOT_FOUND, f"no KEZ proof is published by {subject}")
    return min(judged, key=lambda one: _TELLING.index(one.status))


def _in_place(
    subject: Identifier, primary: str | None, place: Place, now: float, chain: Chain | None
) -> list[Judgement]:
    found, broken = find_proofs(place.text)
    judged = [Judgement(Status.INVALID, one.why[:MAX_REASON], place.where) for one in broken]
    for one in found:
        try:
            claim = verify_claim(one.envelope)
        except KezError as error:
            judged.append(Judgement(Status.INVALID, str(error)[:MAX_REASON], place.where))
            continue
        judged.append(_judge_claim(subject, primary, claim, place.where, now, chain))
    return judged


def _judge_claim(
    subject: Identifier, primary: str | None, claim: Claim, where: str, now: float, chain: Chain | None
) -> Judgement:
    if claim.subject != subject:
        reason = f"the proof there is about {claim.subject}, not about {subject}"
        return Judgement(Status.SUBJECT_MISMATCH, reason, where, claim)
    if primary is not None and claim.primary.primary not in _keys(primary, chain):
        reason = f"the proof there names another primary: {claim.primary.primary}"
        return Judgement(Status.PRIMARY_MISMATCH, reason, where, claim)
    if claim.has_expired(now):
        return Judgement(Status.EXPIRED, "the claim was made for a time that is over", where, claim)
    return Judgement(Status.VALID, f"published by {subject}", where, claim)


def _keys(primary: str, chain: Chain | None) -> set[str]:
    if chain is None:
        return {primary}
    return {primary, chain.current.primary, *(key.primary for key, _ in chain.retired_keys)}


def with_chain(judgement: Judgement, subject: Identifier, chain: Chain | None) -> Judgement:
    """What the sigchain adds: a revoked subject is revoked, whatever is still published."""
    match judgement.status:
        case Status.UNREACHABLE | Status.FORK | Status.ROLLBACK:
            return judgement
        case (
            Status.VALID
            | Status.REVOKED
            | Status.EXPIRED
            | Status.NOT_FOUND
            | Status.INVALID
            | Status.SUBJECT_MISMATCH
            | Status.PRIMARY_MISMATCH
        ):
            if chain is None or subject not in chain.revoked_subjects:
                return judgement
            reason = "the primary's own sigchain takes this claim back"
            return Judgement(Status.REVOKED, reason, judgement.where, judgement.claim)
        case _:
            assert_never(judgement.status)


def summarise(statuses: Sequence[Status]) -> Status:
    """The one status of several: alarms first, then what fails, then what could not be checked."""
    for status in (Status.FORK, Status.ROLLBACK, Status.REVOKED, Status.EXPIRED, *_TELLING[:0:-1]):
        if status in statuses:
            return status
    if Status.UNREACHABLE in statuses:
        return Status.UNREACHABLE
    return Status.VALID if statuses else Status.NOT_FOUND

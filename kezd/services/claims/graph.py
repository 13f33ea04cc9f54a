"""Whether what somebody says of themselves holds: a claim, a proof, a person; and who a subject is.

Reads and asks; signs nothing. Invariants: a server's hint is never believed, each candidate is checked here;
what could not be checked is said so, beside what was known before.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import trio

from kezd.api import types as t
from kezd.errors import KezdError, RequestError, Slug, UnavailableError
from kezd.kez.claims import verify_claim
from kezd.kez.errors import IdentifierError, KezError
from kezd.kez.handles import Handle, parse_server_name
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import parse_any_primary
from kezd.kez.proofs import find_proof, find_proofs
from kezd.kez.verification import Judgement, Status, summarise
from kezd.runtime.clock import Clock
from kezd.services.claims.checking import Checker
from kezd.services.claims.people import People, Person
from kezd.services.claims.shape import show_check
from kezd.services.ports import HomeDirectory, Owner, Report
from kezd.store.checks import StoredCheck

CLAIMS: Final = 64
"""Claims of one person that are looked at."""
AT_ONCE: Final = 4
CANDIDATES: Final = 16


class Graph:
    """Verifies, shows and finds."""

    def __init__(
        self,
        people: People,
        checker: Checker,
        home: HomeDirectory,
        own: Callable[[], Owner | None],
        clock: Clock,
    ) -> None:
        self._people = people
        self._checker = checker
        self._home = home
        self._own = own
        self._clock = clock

    async def verify(self, what: str, *, fresh: bool, report: Report) -> t.GraphVerifyResult:
        """Check an identifier, a handle, a primary, or a text with a proof in it.

        Raises:
            RequestError: `invalid_argument`, `not_found`.
            UnavailableError: nothing is known, and who it is could not be asked.
            TrustError: `home_lied`, `chain_invalid`.
        """
        if any(find_proofs(what)) or "\n" in what.strip():
            return await self._verify_text(what, fresh=fresh)
        try:
            subject = parse_identifier(what)
        except IdentifierError as error:
            if ":" in what and "@" not in what:
                raise RequestError(Slug.INVALID_ARGUMENT, str(error), detail={"field": "what"}) from error
            subject = None
        if subject is None or subject.system == "ed25519":
            return await self._verify_person(what, fresh=fresh, report=report)
        if subject.system == "nostr" and (await self._whose(parse_any_primary(str(subject))))[0] is not None:
            return await self._verify_person(
                what, fresh=fresh, report=report
            )  # a primary with a chain of its own
        return _of_claim("claim", await self.check_subject(subject, fresh=fresh))

    async def _verify_person(self, who: str, *, fresh: bool, report: Report) -> t.GraphVerifyResult:
        person = await self._people.find(who)
        claims = await self.check_all(person, fresh=fresh, report=report)
        status = summarise([Status(one.status) for one in claims])
        if person.alarm is not None:
            status = Status(person.alarm)
        telling = next((one for one in claims if one.status == status.value), None)
        if telling is None:
            reason = "their sigchain names no claims" if not claims else f"all {len(claims)} claims hold"
        else:
            reason = f"{telling.subject}: {telling.reason}"
        if status is Status.VALID and claims:
            reason = f"{len(claims)} of {len(claims)} claims hold"
        return t.GraphVerifyResult(
            kind="person",
            status=status.value,
            reason=reason,
            primary=person.genesis.primary,
            handle=person.handle,
            claims=claims,
        )

    async def _verify_text(self, text: str, *, fresh: bool) -> t.GraphVerifyResult:
        try:
            claim = verify_claim(find_proof(text))
        except KezError as error:
            return t.GraphVerifyResult(kind="proof", status="invalid", reason=str(error)[:300])
        person, trouble = await self._whose(claim.primary)
        genesis = claim.primary if person is None else person.genesis
        check = await self._checker.check(
            claim.subject, genesis.primary, None if person is None else person.chain, fresh=fresh
        )
        shown = self._shown(check, person, trouble)
        result = _of_claim("proof", (shown, person))
        if claim.has_expired(self._clock.now()):
            return t.GraphVerifyResult(
                kind="proof",
                status="expired",
                reason="the claim was made for a time that is over",
                primary=genesis.primary,
                handle=result.handle,
                claims=[shown],
            )
        return result

    async def check_subject(self, subject: Identifier, *, fresh: bool) -> tuple[t.ClaimCheck, Person | None]:
        """Check a subject for whoever is named there."""
        known = await self._checker.newest(subject)
        rests = known is not None and known.retry_at > self._clock.now()
        if known is not None and (rests or (not fresh and self._checker.is_fresh(known))):
            person, trouble = await self._whose_text(known.primary)
            return self._shown(known, person, trouble), person
        try:
            places = await self._checker.look(subject)
        except UnavailableError as error:
            primary = "" if known is None else known.primary
            check = await self._checker.note_trouble(subject, primary, error)
            person, trouble = await self._whose_text(primary)
            return self._shown(check, person, trouble), person
        judged = await self._checker.judge(subject, None, places, None)
        person, trouble = (None, None) if judged.claim is None else await self._whose(judged.claim.primary)
        return await self._keep(subject, judged, person, trouble)

    async def _keep(
        self, subject: Identifier, judged: Judgement, person: Person | None, trouble: str | None
    ) -> tuple[t.ClaimCheck, Person | None]:
        primary = "" if judged.claim is None else judged.claim.primary.primary
        if person is not None:
            primary = person.genesis.primary
        check = await self._checker.keep(subject, primary, judged)
        return self._shown(check, person, trouble), person

    async def check_all(self, person: Person, *, fresh: bool, report: Report) -> list[t.ClaimCheck]:
        """Check everything that a person's chain claims, a few at once; what it takes back comes last."""
        subjects = [one.subject for one in person.chain.subjects][:CLAIMS]
        found: dict[Identifier, t.ClaimCheck] = {}
        limit = trio.CapacityLimiter(AT_ONCE)

        async def check(subject: Identifier) -> None:
            async with limit:
                found[subject] = await self.check_one(subject, person, fresh=fresh)
            report(len(found), len(subjects), str(subject))

        async with trio.open_nursery() as nursery:
            for subject in subjects:
                nursery.start_soon(check, subject)
        revoked = [
            t.ClaimCheck(
                subject=str(subject),
                primary=person.genesis.primary,
                status="revoked",
                reason="the primary's own sigchain takes this claim back",
            )
            for subject in person.chain.revoked_subjects[: CLAIMS - len(subjects)]
        ]
        return [found[subject] for subject in subjects] + revoked

    async def check_one(self, subject: Identifier, person: Person, *, fresh: bool) -> t.ClaimCheck:
        """Check one claim of a person."""
        check = await self._checker.check(subject, person.genesis.primary, person.chain, fresh=fresh)
        return self._shown(check, person, None)

    async def show(self, who: str, *, fresh: bool, report: Report) -> tuple[Person, list[t.ClaimCheck]]:
        """A person with all that they claim; raises as `verify`."""
        person = await self._people.find(who)
        return person, await self.check_all(person, fresh=fresh, report=report)

    async def find(self, text: str, server: str | None, *, report: Report) -> t.GraphFindResult:
        """Who a subject is: whoever the proof there names, and whom a home's hint names, each checked.

        Raises:
            RequestError: `invalid_argument`; `no_identity` without a server to ask.
        """
        subject, where = self._parse_search(text, server)
        left: list[str] = []
        found: dict[str, t.Candidate] = {}
        check, person = await self.check_subject(subject, fresh=False)
        if check.primary is not None:
            found[check.primary] = t.Candidate(
                handle=None if person is None else person.handle, primary=check.primary, check=check
            )
        elif check.status == Status.UNREACHABLE.value:
            left.append(check.reason)
        report(1, None, str(subject))
        for handle in await self._hinted(where, subject, left):
            try:
                person = await self._people.by_handle(handle)
                check = await self.check_one(subject, person, fresh=False)
            except KezdError as error:
                left.append(f"{handle}: {error.message}")
                continue
            report(1 + len(found), None, str(handle))
            found[person.genesis.primary] = t.Candidate(
                handle=person.handle, primary=person.genesis.primary, check=check
            )
        items = sorted(found.values(), key=lambda one: one.check.status != Status.VALID.value)
        return t.GraphFindResult(items=items, left=left)

    def _parse_search(self, text: str, server: str | None) -> tuple[Identifier, str | None]:
        own = self._own()
        try:
            subject = parse_identifier(text)
            where = parse_server_name(server) if server else None if own is None else own.handle.server
        except KezError as error:
            raise RequestError(Slug.INVALID_ARGUMENT, str(error), detail={"field": "subject"}) from error
        return subject, where

    async def _hinted(self, server: str | None, subject: Identifier, left: list[str]) -> Sequence[Handle]:
        if server is None:
            return ()
        try:
            return (await self._home.find_by_proof(server, subject))[:CANDIDATES]
        except KezdError as error:
            left.append(f"{server}: {error.message}")
            return ()

    async def _whose_text(self, primary: str) -> tuple[Person | None, str | None]:
        """Whose primary that is, if anybody's."""
        return await self._whose(parse_any_primary(primary)) if primary else (None, None)

    async def _whose(self, key: PublicKey) -> tuple[Person | None, str | None]:
        """Whose key it is, or why that could not be asked: then nobody knows whether it was revoked."""
        try:
            return await self._people.by_key(key), None
        except UnavailableError as error:
            return None, error.message

    def _shown(self, check: StoredCheck, person: Person | None, trouble: str | None) -> t.ClaimCheck:
        if trouble is not None and check.trouble is None:
            check = replace(check, trouble=f"the sigchain, which may revoke it: {trouble}")
        return show_check(check, person, self._clock.now())


def _of_claim(kind: str, found: tuple[t.ClaimCheck, Person | None]) -> t.GraphVerifyResult:
    check, person = found
    return t.GraphVerifyResult(
        kind="proof" if kind == "proof" else "claim",
        status=check.status,
        reason=check.reason,
        primary=check.primary,
        handle=None if person is None else person.handle,
        claims=[check],
    )

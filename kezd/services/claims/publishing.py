"""The way of one claim of ours: signed, published, seen, verified, in the sigchain, in the home's hint; and back.

Not here: signing (`service`) and judging (`checking`). Invariants: each step is written before the next begins, so
that a call after a crash goes on where it stopped; nothing is published twice; the sigchain names a claim only after
its proof was seen.
"""

import logging
from dataclasses import replace
from typing import Final

import trio

from kezd.api import types as t
from kezd.api.events import Topic
from kezd.errors import AccessError, KezdError, RequestError, Slug, UnavailableError
from kezd.kez.envelope import encode_envelope
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.kez.profile import MAX_PROOFS, profile_payload
from kezd.kez.proofs import encode_json, encode_zone_line
from kezd.kez.sigchain import add, decode_jsonl, revoke
from kezd.kez.verification import Status
from kezd.runtime.backoff import Backoff, BackoffPolicy
from kezd.runtime.clock import Clock
from kezd.services.claims.checking import Checker
from kezd.services.claims.people import People
from kezd.services.claims.shape import event_body, show_check, show_claim
from kezd.services.ports import (
    ChainWriter,
    Credentials,
    HomeDirectory,
    Owner,
    PublishedProof,
    Publishers,
    Report,
)
from kezd.store.checks import StoredCheck
from kezd.store.claims import (
    Step,
    StoredClaim,
    hint_told,
    hint_wanted,
    save_claim,
    want_hint,
)
from kezd.store.database import Database, Transaction
from kezd.store.sigchains import load_jsonl

log = logging.getLogger(__name__)

LOOKING: Final = BackoffPolicy(first=1.0, ceiling=30.0)
URL_PREFIX: Final = "https://"
STEPS: Final = 5
POSTED: Final = frozenset({"bluesky", "ap"})
"""Systems where publishing twice makes two posts."""
IDEMPOTENT_SECONDS: Final = 3000.0
"""Mastodon remembers an idempotency key for an hour."""


class Publishing:
    """Takes claims of ours from step to step."""

    def __init__(
        self,
        db: Database,
        checker: Checker,
        people: People,
        publishers: Publishers,
        credentials: Credentials,
        chain: ChainWriter,
        home: HomeDirectory,
        clock: Clock,
    ) -> None:
        self._db = db
        self._checker = checker
        self._people = people
        self._publishers = publishers
        self._credentials = credentials
        self._chain = chain
        self._home = home
        self._clock = clock
        self._one_hint = trio.Lock()

    async def publish(
        self, owner: Owner, claim: StoredClaim, wait_s: float, report: Report
    ) -> t.ClaimPublishResult:
        """Take a claim as far as it goes now.

        Raises:
            AccessError: `credential_needed`, `credential_refused`.
            UnavailableError: the service or the home does not answer; calling again goes on.
            TrustError: as `ChainWriter.append`.
        """
        subject = parse_identifier(claim.subject)
        if claim.step in (Step.SIGNED, Step.PUBLISHING):
            report(1, STEPS, "publishing")
            claim = await self._put(owner, subject, claim)
            if claim.step is Step.PUBLISHING:  # by hand: the first call gives the text, the next ones look
                return _unfinished(subject, claim, None)
        check: StoredCheck | None = None
        if claim.step is Step.PUBLISHED:
            check = await self._wait_seen(owner, subject, claim, wait_s, report)
            if check.status is not Status.VALID or check.trouble is not None:
                shown = show_check(
                    check, None, self._clock.now()
                )  # the chain may still revoke it: it is added later
                return _unfinished(subject, claim, shown)
            claim = await self._step(replace(claim, step=Step.VERIFIED, url=claim.url or check.place))
        if claim.step is Step.VERIFIED:
            report(3, STEPS, "adding it to the sigchain")
            url = claim.url if claim.url is not None and claim.url.startswith(URL_PREFIX) else None
            await self._chain.append("add", add(claim.subject, url))
            news = t.ClaimEvent(
                type="verified", primary=owner.primary.primary, subject=claim.subject, status="valid"
            )
            claim = await self._step(replace(claim, step=Step.ADDED), news)
        report(4, STEPS, "telling the home server")
        left = await self.tell_home(owner)
        report(5, STEPS, "done")
        known = check or await self._checker.known(subject, owner.primary.primary)
        person = await self._people.own(owner)
        item = show_claim(claim, None if known is None else show_check(known, person, self._clock.now()))
        return t.ClaimPublishResult(claim=item, done=True, left=left)

    async def remove(
        self, owner: Owner, subject: Identifier, claim: StoredClaim | None, report: Report
    ) -> list[str]:
        """Take a claim back: unpublish it if we can, then revoke it whatever came of that.

        Returns:
            What is left to do, for people.

        Raises:
            UnavailableError: the home does not answer; what was signed is resent, calling again goes on.
            TrustError: as `ChainWriter.append`.
        """
        left: list[str] = []
        if claim is not None and claim.step not in (Step.SIGNED, Step.REVOKED):
            report(1, 3, "unpublishing")
            claim, left = await self._unpublish(subject, claim)
        report(2, 3, "revoking it in the sigchain")
        await self._chain.append("revoke", revoke(str(subject)))
        news = t.ClaimEvent(
            type="revoked", primary=owner.primary.primary, subject=str(subject), status="revoked"
        )
        if claim is None:
            await self._db.write(lambda tx: _note(tx, news))
        elif claim.step is not Step.REVOKED:
            await self._step(replace(claim, step=Step.REVOKED), news)
        left += await self.tell_home(owner)
        report(3, 3, "done")
        return left

    async def tell_home(self, owner: Owner) -> list[str]:
        """Tell our home server what we are found by, if it does not know yet; what is left, for people."""
        async with self._one_hint:
            wanted, last = await self._db.read(hint_wanted)
            if not wanted:
                return []
            jsonl = await self._db.read(lambda tx: load_jsonl(tx, owner.primary))
            chain = await trio.to_thread.run_sync(decode_jsonl, jsonl, owner.primary)
            subjects = [str(one.subject) for one in chain.subjects][:MAX_PROOFS]
            at = max(int(self._clock.now()), last + 1)
            payload = profile_payload(owner.handle, owner.signer.public, subjects, at)
            try:
                await self._home.put_profile(
                    owner.handle.server, owner.handle, owner.signer.profile_proofs(payload)
                )
            except KezdError as error:
                log.info("the home was not told of proofs", extra={"slug": error.slug.value})
                return [f"the home server does not know the change yet: {error.message}"]
            await self._db.write(lambda tx: hint_told(tx, wanted, at))
            return []

    # --- steps ----------------------------------------------------------------

    async def _put(self, owner: Owner, subject: Identifier, claim: StoredClaim) -> StoredClaim:
        """Publish with the account's credential; where there is none to have, the person does it."""
        again = claim.step is Step.PUBLISHING
        if subject.system not in self._publishers.systems:
            return await self._step(replace(claim, step=Step.PUBLISHED if again else Step.PUBLISHING))
        secret = self._credentials.get(str(subject))
        if secret is None:
            raise AccessError(
                Slug.CREDENTIAL_NEEDED,
                f"kezd may not publish as {subject} yet",
                hint=f"kez claim authorize {subject}",
            )
        if again and subject.system in POSTED and (place := await self._is_there(owner, subject, claim)):
            return await self._step(replace(claim, step=Step.PUBLISHED, url=place))
        claim = await self._step(replace(claim, step=Step.PUBLISHING))
        # The claim's own date: what is published has the same bytes at each attempt.
        done = await self._publishers.publish(
            subject, claim.envelope, secret, int(claim.created_at), again=again
        )
        return await self._step(replace(claim, step=Step.PUBLISHED, url=done.url, handle=done.handle))

    async def _is_there(self, owner: Owner, subject: Identifier, claim: StoredClaim) -> str | None:
        """Where the post of an attempt whose answer was lost stands.

        Raises:
            UnavailableError: nobody can say, and another post may be one too many.
        """
        if subject.system == "ap" and self._clock.now() - claim.created_at < IDEMPOTENT_SECONDS:
            return None  # the server itself knows the attempt by its key
        check = await self._checker.check(subject, owner.primary.primary, None, fresh=True)
        if check.trouble is not None:
            raise UnavailableError(Slug.SERVICE_UNREACHABLE, check.trouble)
        return check.place if check.proof == encode_envelope(claim.envelope) else None

    async def _wait_seen(
        self, owner: Owner, subject: Identifier, claim: StoredClaim, wait_s: float, report: Report
    ) -> StoredCheck:
        """Look until our proof is there, or the time is over."""
        person = await self._people.own(owner)
        backoff, began = Backoff(LOOKING), self._clock.monotonic()
        while True:
            check = await self._checker.check(subject, owner.primary.primary, person.chain, fresh=True)
            passed = self._clock.monotonic() - began
            if check.status is Status.VALID and check.trouble is None:
                return check
            delay = max(backoff.next_delay(), check.retry_at - self._clock.now())
            if passed + delay > wait_s:
                return check
            report(2, STEPS, f"waiting until it is seen ({passed:.0f} s): {check.trouble or check.reason}")
            await trio.sleep(delay)

    async def _unpublish(self, subject: Identifier, claim: StoredClaim) -> tuple[StoredClaim, list[str]]:
        where = claim.url or str(subject)
        if claim.handle is None:
            return claim, [f"the proof at {where} is yours to take away"]
        secret = self._credentials.get(str(subject))
        if secret is None:
            return claim, [f"the proof at {where} is still there: kezd has no credential of {subject}"]
        try:
            await self._publishers.remove(subject, PublishedProof(claim.url or "", claim.handle), secret)
        except (AccessError, UnavailableError, RequestError) as error:
            return claim, [f"the proof at {where} is still there: {error.message}"]
        return await self._step(replace(claim, handle=None, url=None)), []

    async def _step(self, claim: StoredClaim, news: t.ClaimEvent | None = None) -> StoredClaim:
        """Keep the claim as it is now; news also change what the home has to be told."""

        def keep(tx: Transaction) -> None:
            save_claim(tx, claim)
            if news is not None:
                _note(tx, news)

        await self._db.write(keep)
        return claim


def _note(tx: Transaction, news: t.ClaimEvent) -> None:
    want_hint(tx)
    tx.emit(Topic.CLAIM.value, event_body(news))


def _unfinished(subject: Identifier, claim: StoredClaim, check: t.ClaimCheck | None) -> t.ClaimPublishResult:
    """Not seen yet, with what the person publishes by hand where nobody can do it for them."""
    paste, where = None, None
    if subject.system == "dns":
        paste, where = encode_zone_line(subject.value, claim.envelope), f"the zone of {subject.value}"
    elif subject.system == "web":
        paste, where = encode_json(claim.envelope), f"https://{subject.value}/.well-known/kez.json"
    return t.ClaimPublishResult(claim=show_claim(claim, check), done=False, paste=paste, paste_where=where)

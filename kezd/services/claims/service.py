"""What we say that we are: making claims, publishing them, taking them back, and the credentials for it.

The steps are in `publishing`, what others say in `graph`. Invariants: a claim is signed only while the identity is
active; a secret goes to the vault and to its own service, and nowhere else.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import trio

from kezd.api import types as t
from kezd.errors import RequestError, Slug
from kezd.kez.claims import claim_payload, verify_claim
from kezd.kez.errors import KezError
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.kez.proofs import Encoding, encode_compact, encode_json, encode_markdown, encode_proof
from kezd.runtime.clock import Clock
from kezd.services.claims.checking import Checker
from kezd.services.claims.people import People
from kezd.services.claims.publishing import Publishing
from kezd.services.claims.shape import show_check, show_claim
from kezd.services.ports import ChainWriter, Channels, Credentials, HomeDirectory, Owner, Publishers, Report
from kezd.store.claims import Step, StoredClaim, list_claims, load_claim, save_claim
from kezd.store.database import Database

OUT: Final = frozenset({Step.PUBLISHING, Step.PUBLISHED, Step.VERIFIED, Step.ADDED})
"""Steps at which a proof may stand somewhere."""


class Claims:
    """Our own claims; what `claims.*` answers."""

    def __init__(
        self,
        db: Database,
        checker: Checker,
        people: People,
        channels: Channels,
        publishers: Publishers,
        credentials: Credentials,
        chain: ChainWriter,
        home: HomeDirectory,
        own: Callable[[], Owner | None],
        clock: Clock,
    ) -> None:
        self._db = db
        self._checker = checker
        self._people = people
        self._channels = channels
        self._credentials = credentials
        self._own = own
        self._clock = clock
        self._publishing = Publishing(db, checker, people, publishers, credentials, chain, home, clock)
        self._at_work: dict[Identifier, trio.Lock] = {}

    async def create(self, subject: str, expires_in_s: int | None, *, dry_run: bool) -> t.ClaimCreateResult:
        """Sign a claim, and remember it; while one stands, that one.

        Raises:
            RequestError: `invalid_argument`, `not_registered`.
        """
        owner, wanted = self._owner(), _parse(subject)
        known = await self._db.read(lambda tx: load_claim(tx, str(wanted)))
        if known is not None and self._stands(owner, known):
            if expires_in_s is None:
                return _created(known)
            if known.step in OUT:
                raise RequestError(
                    Slug.INVALID_ARGUMENT,
                    f"a claim to be {wanted} is published already",
                    hint=f"kez claim remove {wanted}, then make another",
                )
        claim = self._sign(owner, wanted, expires_in_s)
        if not dry_run:
            await self._db.write(lambda tx: save_claim(tx, claim))
        return _created(claim)

    async def list(self) -> t.ClaimsResult:
        """Our claims, those of the sigchain that were made elsewhere included."""
        owner = self._owner()
        person = await self._people.own(owner)
        items: dict[str, t.ClaimItem] = {}
        for claim in await self._db.read(list_claims):
            items[claim.subject] = show_claim(claim, None)
        for added in person.chain.subjects:
            name = str(added.subject)
            if name not in items:
                primary = owner.primary.primary
                items[name] = t.ClaimItem(subject=name, primary=primary, step="added", url=added.proof_url)
        now, shown = self._clock.now(), list[t.ClaimItem]()
        for name, item in sorted(items.items()):
            check = await self._checker.known(parse_identifier(name), owner.primary.primary)
            # Before it is added, an older revocation of the same subject says nothing about it.
            judged_by = person if item.step in ("added", "revoked") else None
            shown.append(
                item
                if check is None
                else msgspec.structs.replace(item, check=show_check(check, judged_by, now))
            )
        return t.ClaimsResult(items=shown)

    async def publish(self, subject: str, wait_s: float, report: Report) -> t.ClaimPublishResult:
        """Publish, wait until it is seen, add it to the sigchain; goes on where an earlier call stopped.

        Raises:
            RequestError: `invalid_argument`, `not_found`, `not_registered`.
            AccessError: `credential_needed`, `credential_refused`.
            UnavailableError: the service or the home does not answer; calling again goes on.
            TrustError: as `ChainWriter.append`.
        """
        owner, wanted = self._owner(), _parse(subject)
        if wanted.system not in self._channels.systems:
            raise RequestError(
                Slug.INVALID_ARGUMENT, f"kezd does not know where {wanted.system} subjects publish"
            )
        async with self._working_on(wanted):
            claim = await self._db.read(lambda tx: load_claim(tx, str(wanted)))
            if claim is None or claim.step is Step.REVOKED:
                raise RequestError(
                    Slug.NOT_FOUND, f"no claim to be {wanted} stands", hint=f"kez claim create {wanted}"
                )
            if not self._stands(owner, claim):
                raise RequestError(
                    Slug.INVALID_ARGUMENT,
                    f"the claim to be {wanted} has expired, or is of a former key",
                    hint=f"kez claim create {wanted}",
                )
            return await self._publishing.publish(owner, claim, wait_s, report)

    async def remove(self, subject: str, report: Report) -> t.ClaimPublishResult:
        """Unpublish what we can, and revoke; raises as `publish`."""
        owner, wanted = self._owner(), _parse(subject)
        async with self._working_on(wanted):
            claim = await self._db.read(lambda tx: load_claim(tx, str(wanted)))
            person = await self._people.own(owner)
            if claim is None and all(one.subject != wanted for one in person.chain.subjects):
                raise RequestError(Slug.NOT_FOUND, f"no claim to be {wanted} stands", hint="kez claim list")
            left = await self._publishing.remove(owner, wanted, claim, report)
            after = await self._db.read(lambda tx: load_claim(tx, str(wanted)))
        item = (
            t.ClaimItem(subject=str(wanted), primary=owner.primary.primary, step="revoked")
            if after is None
            else show_claim(after, None)
        )
        return t.ClaimPublishResult(claim=item, done=True, left=left)

    async def authorize(self, system: str, account: str, secret: str, *, dry_run: bool) -> None:
        """Keep a credential. `RequestError(INVALID_ARGUMENT, TOO_LARGE)`, `StoreError`."""
        name = str(_parse(f"{system}:{account}"))
        if not secret.isprintable() or secret != secret.strip():
            raise RequestError(Slug.INVALID_ARGUMENT, "a credential is one line of text")
        if not dry_run:
            await self._credentials.put(name, secret)

    async def forget(self, system: str, account: str, *, dry_run: bool) -> None:
        """Forget a credential. `RequestError(INVALID_ARGUMENT, NOT_FOUND)`, `StoreError`."""
        name = str(_parse(f"{system}:{account}"))
        if self._credentials.get(name) is None:
            raise RequestError(Slug.NOT_FOUND, f"kezd has no credential of {name}")
        if not dry_run:
            await self._credentials.put(name, None)

    def credentials(self) -> t.CredentialsResult:
        """Accounts that there is a credential of."""
        return t.CredentialsResult(accounts=self._credentials.names())

    async def tell_home(self, owner: Owner) -> None:
        """Tell the home what it does not know yet."""
        await self._publishing.tell_home(owner)

    # --- inside ---------------------------------------------------------------

    def _owner(self) -> Owner:
        owner = self._own()
        if owner is None:
            raise RequestError(Slug.NOT_REGISTERED, "claims need an identity that is registered and active")
        return owner

    def _stands(self, owner: Owner, claim: StoredClaim) -> bool:
        verified = verify_claim(claim.envelope)
        return (
            claim.step is not Step.REVOKED
            and verified.primary == owner.signer.public
            and not verified.has_expired(self._clock.now())
        )

    def _sign(self, owner: Owner, subject: Identifier, expires_in_s: int | None) -> StoredClaim:
        now = int(self._clock.now())
        expires_at = None if expires_in_s is None else now + expires_in_s
        try:
            payload = claim_payload(owner.signer.public, str(subject), now, expires_at)
        except KezError as error:
            raise RequestError(Slug.INVALID_ARGUMENT, str(error), detail={"field": "subject"}) from error
        envelope = owner.signer.claim(payload)
        return StoredClaim(str(subject), envelope, Step.SIGNED, None, None, float(now))

    def _working_on(self, subject: Identifier) -> trio.Lock:
        return self._at_work.setdefault(subject, trio.Lock())


def _parse(text: str) -> Identifier:
    try:
        return parse_identifier(text)
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, str(error), detail={"field": "subject"}) from error


def _created(claim: StoredClaim) -> t.ClaimCreateResult:
    envelope, subject = claim.envelope, parse_identifier(claim.subject)
    domain = subject.value if subject.system in ("dns", "web") else "example.com"
    return t.ClaimCreateResult(
        claim=show_claim(claim, None),
        envelope=encode_json(envelope),
        encodings=t.Encodings(
            json=encode_json(envelope),
            compact=encode_compact(envelope),
            markdown=encode_markdown(envelope),
            dns=encode_proof(envelope, Encoding.DNS, domain),
        ),
    )

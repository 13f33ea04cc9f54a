"""A new key for the identity: words shown and recalled, event signed by both keys, vault and link moved over.

Durable steps: the coming key is in the vault → its words were shown → they were recalled
(from here on it finishes by itself, at the next start too) → the event is stored, uploaded,
applied (`own_chain`) → the vault has the new key, and the old one among the retired → the
row forgets the rotation. Invariant: killed between any two, the next start goes on with the
same key and the same bytes.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from kezd.api.types import IdentityResult, RotateResult
from kezd.errors import RequestError, Slug, UnavailableError
from kezd.kez.signing import Signer
from kezd.services.identity.kept import KeptIdentity
from kezd.services.identity.words import Secrets, ask_positions, new_secrets, read_words, recalled
from kezd.store.identity import IdentityState, RotationState, StoredIdentity
from kezd.store.vault.record import ComingKey

log = logging.getLogger(__name__)


class RotatingIdentity(KeptIdentity):
    """The part of `Identity` that changes its key."""

    async def begin_rotation(
        self, words: Literal[12, 24], phrase: str | None, *, dry_run: bool = False
    ) -> RotateResult:
        """Make a new key, or take the one of a phrase, and show its words; the same again until recalled.

        Args:
            words: how many words a new key has.
            phrase: words that the person has already; they replace a key that was shown before.
            dry_run: see that it could be done.

        Raises:
            RequestError: `no_identity`, `not_registered`, `wrong_words`; `identity_pending` while a
                rotation finishes; `invalid_argument` for a key that the chain has had.
            UnavailableError: `superseded`.
            StoreError: the vault or the database could not be written.
        """
        async with self._one_at_a_time:
            row = self._writing()
            if row.rotation is RotationState.CONFIRMED:
                raise RequestError(Slug.IDENTITY_PENDING, "a rotation is under way, and finishes by itself")
            given = None if phrase is None else read_words(phrase)
            if given is not None:
                self._refuse_known(Signer(given.seed))
            if dry_run:
                return RotateResult(primary="", words=[], ask=[])
            coming = self.record.coming
            if given is not None or coming is None or row.rotation is None:
                secrets = given or new_secrets(words, self._chance)
                coming = ComingKey(secrets.seed, secrets.entropy12)
                row = await self._keep_coming(row, coming)
            shown = Secrets(coming.seed, coming.entropy12).words
            return RotateResult(
                primary=Signer(coming.seed).public.primary, words=list(shown), ask=list(row.rotation_asked)
            )

    async def confirm_rotation(self, answers: Mapping[int, str], *, dry_run: bool = False) -> IdentityResult:
        """Check the recalled words; then change the key, which nothing takes back.

        Raises:
            RequestError: `no_identity`, `not_registered`, `words_not_confirmed`; `invalid_argument` when none
                was begun.
            UnavailableError: `superseded`; `home_unreachable` and its like: it goes on by itself.
            TrustError: `chain_fork`, `chain_invalid`, `home_lied`.
        """
        async with self._one_at_a_time:
            row, coming = self._writing(), self.record.coming
            if row.rotation is None and self._was_confirmed(row, answers):
                return await self.show()  # the answer of then was lost
            if row.rotation is None or (coming is None and row.rotation is RotationState.SHOWN):
                raise RequestError(
                    Slug.INVALID_ARGUMENT, "no rotation has begun", hint="look at the key of now: kez whoami"
                )
            if row.rotation is RotationState.SHOWN:
                assert coming is not None, "checked above"
                words = Secrets(coming.seed, coming.entropy12).words
                if not recalled(words, row.rotation_asked, answers):
                    raise RequestError(Slug.WORDS_NOT_CONFIRMED)
                if dry_run:
                    return await self.show()
                row = replace(row, rotation=RotationState.CONFIRMED)
                await self._save(row)
            if not dry_run:
                await self._finish_rotation(row)
            return await self.show()

    async def cancel_rotation(self) -> IdentityResult:
        """Forget a key whose words were not recalled yet. `RequestError(IDENTITY_PENDING)` after that."""
        async with self._one_at_a_time:
            row = self._existing()
            if row.rotation is RotationState.CONFIRMED:
                raise RequestError(Slug.IDENTITY_PENDING, "the rotation is under way, and finishes by itself")
            if row.rotation is not None:
                await self._save(replace(row, rotation=None, rotation_asked=()))
                self._record = await self._vault.change(lambda record: record.with_coming(None))
            return await self.show()

    async def _keep_coming(self, row: StoredIdentity, coming: ComingKey) -> StoredIdentity:
        """The vault first: words are shown of a key that is kept, and of no other."""
        self._record = await self._vault.change(lambda record: record.with_coming(coming))
        count = len(Secrets(coming.seed, coming.entropy12).words)
        asked = ask_positions(count, self._chance)
        begun = replace(row, rotation=RotationState.SHOWN, rotation_asked=asked)
        await self._save(begun)
        return begun

    async def _finish_rotation(self, row: StoredIdentity) -> StoredIdentity:
        """Whatever is left to do after the words were recalled; the row without the rotation."""
        assert row.sigchain_url is not None, "it is registered"
        coming = self.record.coming
        if coming is not None:
            new = Signer(coming.seed)
            self._chain = await self._own_chain.rotate(self._signing(), new, row.genesis, row.sigchain_url)
            await self._take_over()
        self._checked = False  # the resume loop says in the chain what follows from the new key
        done = replace(row, rotation=None)  # what was asked stays, for a caller who did not hear the answer
        await self._save(done, "rotated")
        log.info("the identity has a new key")
        return done

    def _was_confirmed(self, row: StoredIdentity, answers: Mapping[int, str]) -> bool:
        return bool(row.rotation_asked) and recalled(self._secrets().words, row.rotation_asked, answers)

    def _refuse_known(self, given: Signer) -> None:
        chain = self._chain
        if chain is not None and given.public in (chain.current, *(key for key, _ in chain.retired_keys)):
            raise RequestError(
                Slug.INVALID_ARGUMENT, "that key is or was this identity's; a key of a chain never comes back"
            )

    def _writing(self) -> StoredIdentity:
        """The row of an identity that may sign."""
        row = self._existing()
        match row.state:
            case IdentityState.UNCONFIRMED:
                raise RequestError(Slug.IDENTITY_PENDING)
            case IdentityState.UNREGISTERED:
                raise RequestError(Slug.NOT_REGISTERED)
            case IdentityState.SUPERSEDED:
                raise UnavailableError(Slug.SUPERSEDED)
            case IdentityState.ACTIVE:
                return row

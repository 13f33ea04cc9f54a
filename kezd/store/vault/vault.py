"""The vault of one profile: opens and writes `vault.json`, and finds the key that wraps it.

The wrapping key comes from the system's keyring (random, kept there), or from Argon2id
over a systemd credential or a passphrase. There is no other source and never a plaintext
fallback. Invariants: the file is replaced whole and synced; a blocked keyring costs a
bounded wait and at most one thread; no error, log or repr holds a secret.
"""

import errno
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import trio

from kezd.errors import AccessError, Slug, StoreError
from kezd.runtime.paths import ensure_private_directory
from kezd.runtime.settings import VaultSource
from kezd.runtime.systemd import read_credential
from kezd.store.argon2 import Argon2, derive_key, encode_passphrase, new_argon2
from kezd.store.vault.keyring_store import KeyStore, SystemKeyring
from kezd.store.vault.record import VaultRecord, decode_record, encode_record
from kezd.store.vault.vault_file import (
    FILE_BYTES,
    NONCE_SIZE,
    WRAPPING_KEY_SIZE,
    VaultFile,
    WrapKind,
    Wrapping,
    open_vault,
    parse_vault,
    seal_vault,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

FILE_NAME: Final = "vault.json"
CREDENTIAL: Final = "kezd.passphrase"
KEYRING_PATIENCE: Final = 2.0  # seconds
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Vault:
    """One profile's vault. `create` or `unlock` comes before `save`.

    Args:
        directory: the profile's directory; made private when it is missing.
        source: what a new vault's key comes from.
        profile: shown in the keyring beside the key.
        environ: for the systemd credential.
        keyring: the system's, unless a test has its own.
    """

    def __init__(
        self,
        directory: Path,
        source: VaultSource | str,
        profile: str,
        environ: Mapping[str, str],
        keyring: KeyStore | None = None,
    ) -> None:
        self._directory = directory
        self._path = directory / FILE_NAME
        self._source = VaultSource(source)
        self._profile = profile
        self._environ = environ
        self._keyring: KeyStore = SystemKeyring() if keyring is None else keyring
        self._one_thread = trio.CapacityLimiter(1)
        self._wrapping: Wrapping | None = None
        self._record: VaultRecord | None = None
        self._one_change = trio.Lock()

    @property
    def record(self) -> VaultRecord | None:
        """What it holds; None while closed."""
        return self._record

    @property
    def kind(self) -> WrapKind | None:
        """What really holds the key of this open vault, whatever the setting asks of new ones; None while closed."""
        return None if self._wrapping is None else self._wrapping.kind

    async def ask_keyring(self, patience: float = KEYRING_PATIENCE) -> None:
        """Whether the system's keyring answers.

        Raises:
            AccessError: `keyring_missing`, `keyring_locked`.
        """
        await self._ask_keyring(lambda: self._keyring.get(self._entry_name("doctor")), patience)

    async def exists(self) -> bool:
        """Whether there is a vault file."""
        return await trio.Path(self._path).exists()

    async def create(self, passphrase: str | None = None, record: VaultRecord | None = None) -> VaultRecord:
        """Make a new vault, with a fresh database key and no identity unless there is a record for it.

        With the source `auto`, a passphrase that is given is used; else the keyring; else,
        where there is none, the systemd credential.

        Raises:
            AccessError: `passphrase_needed` when nothing else is left, `keyring_missing`, `keyring_locked`.
            StoreError: a vault exists already (`store_failed`), `unsafe_path`, `disk_full`.
        """
        if await self.exists():
            raise StoreError(Slug.STORE_FAILED, "there is a vault already")
        self._wrapping = await self._new_wrapping(passphrase)
        record = record or VaultRecord.new()
        await self.save(record)
        log.info("vault made", extra={"profile": self._profile, "source": self._wrapping.kind.value})
        return record

    async def unlock(
        self, passphrase: str | None = None, *, fresh: bool = False, patience: float = KEYRING_PATIENCE
    ) -> VaultRecord:
        """Open the vault from its file; nothing of an earlier unlock is reused.

        Args:
            passphrase: for a vault made with one (or with a credential that is not passed any more).
            fresh: somebody must prove anew that they may: a passphrase vault wants its
                passphrase even when a credential could open it.
            patience: seconds to wait for the keyring.

        Raises:
            AccessError: `wrong_passphrase`, `passphrase_needed`, `keyring_missing`,
                `keyring_locked`, `vault_damaged`.
        """
        file = await trio.to_thread.run_sync(self._load)
        if file.argon2 is None:
            key, wrong = await self._key_from_keyring(file, patience), Slug.VAULT_DAMAGED
        else:
            secret = self._secret(passphrase, credential=not fresh or file.wrap is WrapKind.CREDENTIAL)
            key, wrong = await _derive(secret, file.argon2), Slug.WRONG_PASSPHRASE
        try:
            record = decode_record(open_vault(file, key, wrong))
        except ValueError as error:
            raise AccessError(Slug.VAULT_DAMAGED) from error
        self._wrapping = Wrapping(file.id, file.wrap, file.argon2, key)
        self._record = record
        return record

    async def change(self, change: Callable[[VaultRecord], VaultRecord]) -> VaultRecord:
        """Make another record of the one it holds, and replace the file; one change at a time.

        Raises:
            AccessError: `locked` while it is closed.
            StoreError: as `save`.
        """
        async with self._one_change:
            if self._record is None:
                raise AccessError(Slug.LOCKED)
            record = change(self._record)
            await self.save(record)
            return record

    async def save(self, record: VaultRecord) -> None:
        """Replace the file: written beside, synced, renamed, directory synced.

        Raises:
            AccessError: `locked` when this vault was neither created nor unlocked here.
            StoreError: `unsafe_path`, `disk_full`, `store_failed`.
        """
        if self._wrapping is None:
            raise AccessError(Slug.LOCKED)
        data = seal_vault(self._wrapping, encode_record(record), secrets.token_bytes(NONCE_SIZE))
        await trio.to_thread.run_sync(self._replace, data)
        self._record = record

    async def _new_wrapping(self, passphrase: str | None) -> Wrapping:
        vault_id = secrets.token_hex(16)
        source = self._source
        if source is VaultSource.KEYRING or (source is VaultSource.AUTO and passphrase is None):
            try:
                return Wrapping(vault_id, WrapKind.KEYRING, None, await self._new_key_in_keyring(vault_id))
            except AccessError as error:
                if source is VaultSource.KEYRING or error.slug is not Slug.KEYRING_MISSING:
                    raise
                log.info("no keyring here", extra={"profile": self._profile})
        from_credential = source is not VaultSource.PASSPHRASE and passphrase is None
        if source is VaultSource.CREDENTIAL:
            passphrase, from_credential = None, True
        secret = self._secret(passphrase, credential=from_credential)
        kind = WrapKind.CREDENTIAL if from_credential else WrapKind.PASSPHRASE
        parameters = new_argon2()
        return Wrapping(vault_id, kind, parameters, await _derive(secret, parameters))

    def _secret(self, passphrase: str | None, *, credential: bool) -> bytes:
        """The passphrase given, else the credential if it may be used."""
        if passphrase:
            return encode_passphrase(passphrase)
        if credential:
            try:
                found = read_credential(self._environ, CREDENTIAL)
            except OSError as error:
                raise AccessError(
                    Slug.PASSPHRASE_NEEDED, f"the credential cannot be read: {error.strerror}"
                ) from error
            if found and (secret := found.removesuffix(b"\n")):
                return secret
        raise AccessError(Slug.PASSPHRASE_NEEDED)

    async def _new_key_in_keyring(self, vault_id: str) -> bytes:
        key = secrets.token_bytes(WRAPPING_KEY_SIZE)
        name = self._entry_name(vault_id)

        def put_and_read_back() -> str | None:
            self._keyring.put(name, key.hex())
            return self._keyring.get(name)

        if await self._ask_keyring(put_and_read_back, KEYRING_PATIENCE) != key.hex():
            raise AccessError(Slug.KEYRING_MISSING, "the system keyring does not keep what it is given")
        return key

    async def _key_from_keyring(self, file: VaultFile, patience: float) -> bytes:
        name = self._entry_name(file.id)
        text = await self._ask_keyring(lambda: self._keyring.get(name), patience)
        if text is None:
            raise AccessError(Slug.KEYRING_MISSING)
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise AccessError(Slug.VAULT_DAMAGED, "the keyring's entry of this vault is damaged") from error

    def _entry_name(self, vault_id: str) -> str:
        return f"{self._profile}/{vault_id}"

    async def _ask_keyring(self, ask: Callable[[], T], patience: float) -> T:
        """Run a blocking call in a thread that may be left behind; a second call waits for the first."""
        with trio.move_on_after(patience):
            return await trio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=self._one_thread)
        raise AccessError(Slug.KEYRING_LOCKED, f"the keyring did not answer within {patience:g} s")

    def _load(self) -> VaultFile:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(FILE_BYTES + 1)
        except OSError as error:
            raise AccessError(
                Slug.VAULT_DAMAGED, f"the vault file cannot be read: {error.strerror}"
            ) from error
        if len(data) > FILE_BYTES:
            raise AccessError(Slug.VAULT_DAMAGED, "the vault file is far too long")
        return parse_vault(data)

    def _replace(self, data: bytes) -> None:
        ensure_private_directory(self._directory)
        beside = self._path.with_suffix(".new")
        try:
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            beside.replace(self._path)
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            slug = Slug.DISK_FULL if error.errno in _FULL else Slug.STORE_FAILED
            raise StoreError(slug, f"cannot write the vault: {error.strerror}") from error


async def _derive(secret: bytes, parameters: Argon2) -> bytes:
    return await trio.to_thread.run_sync(derive_key, secret, parameters)

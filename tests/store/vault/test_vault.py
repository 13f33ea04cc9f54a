"""The vault: opens with the right secret only, tells what is wrong, and never shows what it holds."""

import base64
import pickle
import stat
import threading
from pathlib import Path

import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import pytest
import trio

from kezd.errors import AccessError, Slug, StoreError
from kezd.kez.keys import Seed
from kezd.store.vault import Vault, VaultRecord
from kezd.store.vault.keyring_store import trusted_backend

SEED = Seed(bytes(range(32)))


class MemoryKeyring:
    """A keyring of its own; `hold` makes it hang, `locked` refuse."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.locked = False
        self.forgetful = False
        self.hold: threading.Event | None = None
        self.calls = 0

    def get(self, name: str) -> str | None:
        self._ask()
        return None if self.forgetful else self.entries.get(name)

    def put(self, name: str, text: str) -> None:
        self._ask()
        self.entries[name] = text

    def _ask(self) -> None:
        self.calls += 1
        if self.hold is not None:
            self.hold.wait(20)
        if self.locked:
            raise AccessError(Slug.KEYRING_LOCKED)


class NoKeyring:
    """A machine without one."""

    def get(self, name: str) -> str | None:
        raise AccessError(Slug.KEYRING_MISSING)

    def put(self, name: str, text: str) -> None:
        raise AccessError(Slug.KEYRING_MISSING)


def passphrase_vault(directory: Path) -> Vault:
    return Vault(directory, "passphrase", "default", {})


async def refused(
    vault: Vault, slug: Slug, passphrase: str | None = None, **rest: bool | float
) -> AccessError:
    with pytest.raises(AccessError) as caught:
        await vault.unlock(passphrase, **rest)  # type: ignore[arg-type]
    assert caught.value.slug is slug
    return caught.value


async def test_a_passphrase_vault_keeps_the_record(tmp_path: Path) -> None:
    with trio.fail_after(30):
        directory = tmp_path / "profile"
        vault = passphrase_vault(directory)
        assert not await vault.exists()
        fresh = await vault.create("correct horse")
        assert fresh.seed is None
        assert len(fresh.db_key) == 32
        await vault.save(fresh.with_identity(SEED, b"e" * 16))
        again = passphrase_vault(directory)
        assert await again.exists()
        record = await again.unlock("correct horse")
        assert record == fresh.with_identity(SEED, b"e" * 16)
        await refused(again, Slug.WRONG_PASSPHRASE, "correct horsf")
        await refused(again, Slug.PASSPHRASE_NEEDED)
        await refused(again, Slug.PASSPHRASE_NEEDED, "")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert [p.name for p in directory.iterdir()] == ["vault.json"]
        assert stat.S_IMODE((directory / "vault.json").stat().st_mode) == 0o600


async def test_the_passphrase_is_the_same_in_every_unicode_form(tmp_path: Path) -> None:
    with trio.fail_after(30):
        await passphrase_vault(tmp_path / "p").create("caf\u00e9")
        await passphrase_vault(tmp_path / "p").unlock("cafe\u0301")


async def test_a_vault_is_never_made_twice_nor_written_while_locked(tmp_path: Path) -> None:
    with trio.fail_after(30):
        await passphrase_vault(tmp_path / "p").create("x")
        with pytest.raises(StoreError):
            await passphrase_vault(tmp_path / "p").create("y")
        with pytest.raises(AccessError) as caught:
            await passphrase_vault(tmp_path / "p").save(VaultRecord.new())
        assert caught.value.slug is Slug.LOCKED


async def test_a_new_file_replaces_the_old_one_whole(tmp_path: Path) -> None:
    with trio.fail_after(30):
        vault = passphrase_vault(tmp_path / "p")
        record = await vault.create("x")
        (tmp_path / "p/vault.new").write_bytes(b"left by a crash")
        (tmp_path / "p/vault.new").chmod(0o644)
        await vault.save(record.with_identity(SEED, None))
        assert [p.name for p in (tmp_path / "p").iterdir()] == ["vault.json"]
        assert stat.S_IMODE((tmp_path / "p/vault.json").stat().st_mode) == 0o600
        assert (await vault.unlock("x")).seed == SEED


async def test_an_unsafe_directory_is_refused(tmp_path: Path) -> None:
    with trio.fail_after(30):
        (tmp_path / "p").mkdir()
        (tmp_path / "p").chmod(0o755)
        with pytest.raises(StoreError) as caught:
            await passphrase_vault(tmp_path / "p").create("x")
        assert caught.value.slug is Slug.UNSAFE_PATH
        assert list((tmp_path / "p").iterdir()) == []


async def test_nothing_shows_the_secrets(tmp_path: Path) -> None:
    with trio.fail_after(30):
        vault = passphrase_vault(tmp_path / "p")
        record = (await vault.create("correct horse")).with_identity(SEED, b"entropy-16-bytes")
        await vault.save(record)
        error = await refused(passphrase_vault(tmp_path / "p"), Slug.WRONG_PASSPHRASE, "my wrong guess")
        shown = f"{record!r} {record} {vault!r} {vars(vault)!r} {error!r} {error.__cause__!r}"
        data = (tmp_path / "p/vault.json").read_bytes()
        for secret in (
            SEED.reveal(),
            record.db_key,
            b"entropy-16-bytes",
            b"correct horse",
            b"my wrong guess",
        ):
            for form in (
                secret,
                secret.hex().encode(),
                base64.b64encode(secret),
                repr(secret)[2:-1].encode(),
            ):
                assert form not in data
                assert form.decode("latin-1") not in shown
        with pytest.raises(TypeError):
            pickle.dumps(record)


async def test_the_credential_opens_what_it_made(tmp_path: Path) -> None:
    with trio.fail_after(30):
        (tmp_path / "c").mkdir()
        (tmp_path / "c/kezd.passphrase").write_bytes(b"from systemd\n")
        environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "c")}
        made = await Vault(tmp_path / "p", "auto", "default", environ, NoKeyring()).create()
        opener = Vault(tmp_path / "p", "auto", "default", environ, NoKeyring())
        assert await opener.unlock() == made
        assert await opener.unlock(fresh=True) == made
        assert await Vault(tmp_path / "p", "auto", "default", {}, NoKeyring()).unlock("from systemd") == made
        await refused(Vault(tmp_path / "p", "auto", "default", {}, NoKeyring()), Slug.PASSPHRASE_NEEDED)
        (tmp_path / "c/kezd.passphrase").write_bytes(b"another\n")
        await refused(opener, Slug.WRONG_PASSPHRASE)


async def test_a_fresh_unlock_of_a_passphrase_vault_wants_the_passphrase(tmp_path: Path) -> None:
    with trio.fail_after(30):
        (tmp_path / "c").mkdir()
        (tmp_path / "c/kezd.passphrase").write_bytes(b"x")
        vault = Vault(
            tmp_path / "p", "auto", "default", {"CREDENTIALS_DIRECTORY": str(tmp_path / "c")}, NoKeyring()
        )
        await vault.create("x")
        await vault.unlock()
        await refused(vault, Slug.PASSPHRASE_NEEDED, fresh=True)
        await vault.unlock("x", fresh=True)


async def test_a_keyring_vault(tmp_path: Path) -> None:
    with trio.fail_after(30):
        ring = MemoryKeyring()
        made = await Vault(tmp_path / "p", "auto", "work", {}, ring).create()
        [(name, key)] = ring.entries.items()
        assert name.startswith("work/")
        assert key.encode() not in (tmp_path / "p/vault.json").read_bytes()
        vault = Vault(tmp_path / "p", "auto", "work", {}, ring)
        assert await vault.unlock() == made
        ring.locked = True
        await refused(vault, Slug.KEYRING_LOCKED)
        ring.locked = False
        ring.entries[name] = "00" * 32
        await refused(vault, Slug.VAULT_DAMAGED)
        ring.entries[name] = "not hex"
        await refused(vault, Slug.VAULT_DAMAGED)
        del ring.entries[name]
        await refused(vault, Slug.KEYRING_MISSING)
        await refused(vault, Slug.KEYRING_MISSING, "a passphrase does not help")
        await refused(Vault(tmp_path / "p", "auto", "work", {}, NoKeyring()), Slug.KEYRING_MISSING)


async def test_where_a_new_vault_takes_its_key_from(tmp_path: Path) -> None:
    with trio.fail_after(60):
        ring = MemoryKeyring()
        await Vault(tmp_path / "given", "auto", "p", {}, ring).create("a passphrase that is given is used")
        assert ring.entries == {}
        with pytest.raises(AccessError) as caught:
            await Vault(tmp_path / "none", "auto", "p", {}, NoKeyring()).create()
        assert caught.value.slug is Slug.PASSPHRASE_NEEDED
        with pytest.raises(AccessError) as caught:
            await Vault(tmp_path / "ring", "keyring", "p", {}, NoKeyring()).create("ignored")
        assert caught.value.slug is Slug.KEYRING_MISSING
        with pytest.raises(AccessError) as caught:
            await Vault(tmp_path / "cred", "credential", "p", {}, ring).create("ignored")
        assert caught.value.slug is Slug.PASSPHRASE_NEEDED
        ring.locked = True
        with pytest.raises(AccessError) as caught:
            await Vault(tmp_path / "locked", "auto", "p", {}, ring).create()
        assert caught.value.slug is Slug.KEYRING_LOCKED
        ring.locked, ring.forgetful = False, True
        with pytest.raises(AccessError):
            await Vault(tmp_path / "forgetful", "keyring", "p", {}, ring).create()
        assert not any((tmp_path / name).exists() for name in ("none", "ring", "cred", "locked", "forgetful"))


async def test_a_hanging_keyring_costs_a_bounded_wait_and_one_thread(tmp_path: Path) -> None:
    with trio.fail_after(30):
        ring = MemoryKeyring()
        made = await Vault(tmp_path / "p", "keyring", "p", {}, ring).create()
        vault = Vault(tmp_path / "p", "keyring", "p", {}, ring)
        ring.hold = threading.Event()
        before = ring.calls
        for _ in range(3):
            await refused(vault, Slug.KEYRING_LOCKED, patience=0.05)
        assert ring.calls == before + 1
        ring.hold.set()
        assert await vault.unlock(patience=20) == made


def test_backends_that_keep_plaintext_or_nothing_are_refused() -> None:
    class PlaintextKeyring(keyring.backends.null.Keyring):
        """As keyrings.alt.file has it: any backend that is not the system's."""

    for backend in (keyring.backends.null.Keyring(), keyring.backends.fail.Keyring(), PlaintextKeyring()):
        with pytest.raises(AccessError) as caught:
            trusted_backend(backend)
        assert caught.value.slug is Slug.KEYRING_MISSING

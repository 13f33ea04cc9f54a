"""A store that fails under a running profile locks that profile, and nobody else notices."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import trio
import trio.testing

from kezd.api import types as t
from kezd.daemon.adapters import Adapters
from kezd.daemon.profile import Profile
from kezd.daemon.profiles import Profiles
from kezd.errors import AccessError, Slug, StoreError
from kezd.rpc.ports import ProfileState
from kezd.runtime.config import load
from kezd.runtime.paths import Paths
from kezd.store.database import Database, Transaction

T = TypeVar("T")
PASSPHRASE = "correct horse"


class Disk:
    """Fails while it is broken."""

    def __init__(self) -> None:
        self.broken = False

    def database(self) -> type[Database]:
        """The database on this disk."""
        disk = self

        class OnDisk(Database):
            async def read(self, function: Callable[[Transaction], T]) -> T:
                if disk.broken:
                    raise StoreError(Slug.STORE_FAILED, "the database failed: disk I/O error")
                return await super().read(function)

        return OnDisk


@pytest.mark.expects_error("the profile's store failed")
async def test_one_is_locked_and_opens_again(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.2  # SQLite and Argon2id run in threads
    paths = Paths.from_environment({"KEZD_HOME": str(tmp_path / "k")})
    paths.create()
    config = load({"KEZD_VAULT_SOURCE": "passphrase", "KEZD_HOME_URL": "http://127.0.0.1:9"}, paths, {})
    disk = Disk()
    adapters = {"ann": Adapters(open_database=disk.database().open), "ben": Adapters()}

    def opening(name: str):
        return Profile.open(name, paths, config, adapters[name], {}, PASSPHRASE, "test")

    with trio.fail_after(600):
        async with Profiles.open(["ann", "ben"], paths, opening) as profiles:
            ann, ben = profiles.get("ann"), profiles.get("ben")
            for profile in (ann, ben):
                await profile.create(t.IdentityCreateParams(), None)
                assert profile.state is ProfileState.OPEN
            disk.broken = True
            while ann.state is ProfileState.OPEN:
                await trio.sleep(10)  # of virtual time, until housekeeping meets the disk
            assert (await ann.describe()).trouble == "store_failed"
            with pytest.raises(AccessError) as locked:
                _ = ann.chat
            assert (locked.value.slug, locked.value.detail) == (Slug.LOCKED, {"cause": "store_failed"})
            assert (await ben.identity.show()).state == "unconfirmed"
            with pytest.raises(StoreError):
                await ann.unlock(None)
            disk.broken = False
            await ann.unlock(None)
            assert ann.state is ProfileState.OPEN
            assert (await ann.identity.show()).state == "unconfirmed"

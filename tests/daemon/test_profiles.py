"""Profiles are opened at the same time, and each ends by itself."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from kezd.daemon.profile import UNLOCK_PATIENCE, Profile
from kezd.daemon.profiles import Profiles
from kezd.errors import RequestError, Slug
from kezd.runtime.paths import Paths


class Recorder:
    """Stands where `Profile.open` stands: takes as long as a locked keyring, notes what it sees."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def __call__(self, name: str) -> AbstractAsyncContextManager[Profile]:
        return self._open(name)

    @asynccontextmanager
    async def _open(self, name: str) -> AsyncIterator[Profile]:
        await trio.sleep(UNLOCK_PATIENCE)
        self.log.append(f"+{name}")
        try:
            yield cast("Profile", object())
        finally:
            self.log.append(f"-{name}")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.from_environment({"KEZD_HOME": str(tmp_path / "k")})
    paths.create()
    return paths


async def test_five_locked_keyrings_cost_what_one_costs(
    paths: Paths, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05  # the file is read in a thread
    names = [f"p{n}" for n in range(5)]
    recorder, began = Recorder(), trio.current_time()
    with trio.fail_after(60):
        async with Profiles.open(names, paths, recorder) as profiles:
            assert trio.current_time() - began < 1.5 * UNLOCK_PATIENCE
            assert sorted(profiles.by_name) == names
    assert sorted(recorder.log[:5]) == [f"+{name}" for name in names]
    assert sorted(recorder.log[5:]) == [f"-{name}" for name in names]


@pytest.mark.parametrize("text", ["{", "[]", '{"added": 1}', '{"more": []}'])
async def test_a_damaged_list_is_named(paths: Paths, text: str) -> None:
    (paths.data / "profiles.json").write_text(text)
    with trio.fail_after(10), pytest.raises(RequestError) as refused:
        async with Profiles.open(["default"], paths, Recorder()):
            pytest.fail("nothing is opened by guessing")
    assert refused.value.slug is Slug.BAD_CONFIG
    assert "profiles.json" in refused.value.message

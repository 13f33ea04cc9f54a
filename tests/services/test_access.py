"""Tokens, their files, confirmations and the audit log, without a socket."""

import json
import os
import stat
from contextlib import suppress

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.api.methods import Scope
from kezd.errors import AccessError, KezdError, Slug, StoreError
from kezd.runtime.audit import AuditEntry
from kezd.runtime.bus import Bus
from kezd.services.access import AuditTrail, Tokens
from kezd.services.access.token_file import TokenRecord, is_name, is_secret, read_tokens
from kezd.services.access.tokens import FULL_FILE, MOST, TOKENS_FILE, Grant
from kezd.store import audit
from kezd.store.database import Database

GOOD = {
    "name": "bot",
    "hash": "ab" * 32,
    "scope": "chat",
    "created_at": 1,
    "expires_at": None,
    "last_used_at": None,
    "profiles": None,
}
CALLER = AuditEntry(
    method="chat.send", client="bot", connection="c1", pid=7, executable="/bin/bot", scope="chat", token="bot"
)


class Clock:
    def __init__(self) -> None:
        self.wall = 1_700_000_000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.wall


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


async def refused(work) -> Slug:
    with pytest.raises(KezdError) as caught:
        await work
    return caught.value.slug


async def opened(directory) -> None:
    async with Tokens.open(directory, Clock()):
        pass


# --- the files -----------------------------------------------------------------


async def test_the_full_token_is_made_private_and_kept(directory):
    with trio.fail_after(10):
        await opened(directory)
        path = directory / FULL_FILE
        first = path.read_text().strip()
        assert is_secret(first)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with Tokens.open(directory, Clock()) as tokens:
            assert tokens.grant(first, "default").scope is Scope.FULL
        assert path.read_text().strip() == first


@pytest.mark.parametrize("name", [FULL_FILE, TOKENS_FILE])
async def test_a_file_that_others_can_read_is_refused_with_a_fix(directory, name):
    with trio.fail_after(10):
        await opened(directory)
        path = directory / name
        path.touch()
        path.chmod(0o640)
        with pytest.raises(KezdError) as caught:
            await opened(directory)
        assert caught.value.slug is Slug.UNSAFE_PATH
        assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("name", [FULL_FILE, TOKENS_FILE])
async def test_links_pipes_and_directories_are_refused(directory, name, tmp_path):
    path, elsewhere = directory / name, tmp_path / "elsewhere"
    elsewhere.write_text("{}")
    elsewhere.chmod(0o600)
    with trio.fail_after(10):
        for make in (lambda: path.symlink_to(elsewhere), lambda: os.mkfifo(path, 0o600)):
            make()
            assert await refused(opened(directory)) is Slug.UNSAFE_PATH
            path.unlink()
        path.mkdir()
        assert await refused(opened(directory)) in {Slug.UNSAFE_PATH, Slug.FILE_FAILED}


@pytest.mark.parametrize("content", [b"", b"secret\n", b"kezt_short\n", b"\xff" * 48, b"kezt_" + b"A" * 100])
async def test_a_full_token_that_is_none(directory, content):
    with trio.fail_after(10):
        (directory / FULL_FILE).write_bytes(content)
        (directory / FULL_FILE).chmod(0o600)
        assert await refused(opened(directory)) is Slug.STORE_FAILED


def hostile(*tokens, **members) -> bytes:
    return json.dumps({"version": 1, "tokens": list(tokens), **members}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\x00" * 64,
        b"\xff\xfe",
        b"[" * 100_000,
        b"x" * (1024 * 1024 + 1),
        hostile(version=2),
        hostile(extra=1),
        hostile(GOOD, GOOD),
        hostile(GOOD, GOOD | {"name": "other"}),
        hostile(GOOD | {"scope": "root"}),
        hostile(GOOD | {"scope": None}),
        hostile(GOOD | {"hash": ""}),
        hostile(GOOD | {"hash": "AB" * 32}),
        hostile(GOOD | {"hash": "ab" * 32 + "\n"}),
        hostile(GOOD | {"name": ""}),
        hostile(GOOD | {"name": "x" * 65}),
        hostile(GOOD | {"name": "a\u202eb"}),
        hostile(GOOD | {"name": " a"}),
        hostile(GOOD | {"expires_at": "never"}),
        hostile(GOOD | {"expires_at": -1}),
        hostile(GOOD | {"expires_at": 1e400}),
        hostile(GOOD | {"created_at": True}),
        hostile(GOOD | {"profiles": []}),
        hostile(GOOD | {"profiles": "default"}),
        hostile(GOOD | {"scope": "full", "profiles": ["default"]}),
        hostile(GOOD | {"admin": True}),
        hostile("bot"),
        hostile(None),
    ],
)
async def test_a_hostile_file_of_tokens_opens_nothing(directory, content):
    with trio.fail_after(10):
        path = directory / TOKENS_FILE
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KezdError) as caught:
            await opened(directory)
        assert caught.value.slug is Slug.STORE_FAILED
        assert caught.value.hint
        assert path.read_bytes() == content, "nothing is repaired in silence"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_content_is_tokens_or_a_clear_error(tmp_path, content):
    path = tmp_path / TOKENS_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with suppress(StoreError):  # and nothing else
        assert read_tokens(path) == []


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\x1bb", "\u202e", "x" * 65, "a\u200bb"])
def test_what_is_no_name(name):
    assert not is_name(name)


# --- tokens --------------------------------------------------------------------


async def test_tokens_outlive_a_restart_and_only_hashes_are_kept(directory):
    clock = Clock()
    with trio.fail_after(10):
        async with Tokens.open(directory, clock) as tokens:
            made = await tokens.create("status bar", Scope.READ, 60, ["default", "work"])
            assert is_secret(made.token)
        text = (directory / TOKENS_FILE).read_text()
        assert made.token not in text
        assert made.token.removeprefix("kezt_") not in text
        assert stat.S_IMODE((directory / TOKENS_FILE).stat().st_mode) == 0o600
        async with Tokens.open(directory, clock) as tokens:
            grant = tokens.grant(made.token, "work")
            assert (grant.scope, grant.name) == (Scope.READ, "status bar")
        async with Tokens.open(directory, clock) as tokens:
            [item] = tokens.list(10, None).items
            assert item.last_used_at == 1_700_000_000_000
            await tokens.revoke("status bar")
        async with Tokens.open(directory, clock) as tokens:
            assert tokens.list(10, None).items == []
        assert sorted(p.name for p in directory.iterdir()) == [FULL_FILE, TOKENS_FILE]


async def test_names_are_unique_and_tokens_are_bounded(directory):
    with trio.fail_after(30):
        async with Tokens.open(directory, Clock()) as tokens:
            await tokens.create("a", Scope.CHAT, None, None)
            for name in ("a", FULL_FILE, "", "a\tb"):
                assert await refused(tokens.create(name, Scope.CHAT, None, None)) is Slug.INVALID_ARGUMENT
            assert await refused(tokens.revoke("b")) is Slug.NOT_FOUND
            for number in range(MOST - 1):
                await tokens.create(f"t{number}", Scope.READ, None, None)
            assert await refused(tokens.create("more", Scope.READ, None, None)) is Slug.INVALID_ARGUMENT
            page = tokens.list(200, None)
            rest = tokens.list(200, page.next_cursor)
            assert len(page.items) + len(rest.items) == MOST
            assert rest.next_cursor is None


async def test_expiry_is_noticed_by_who_waits(autojump_clock):
    clock = Clock()
    expires = int(clock.wall) + 3600
    grant = Grant(TokenRecord(name="a", hash="", scope="chat", created_at=0, expires_at=expires), clock)
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(grant.wait_over)
            await trio.sleep(5)
            assert not grant.over
            clock.wall += 3600
        assert grant.over
        assert not grant.revoked


async def test_a_clock_that_goes_back_revives_no_revoked_token(directory):
    clock = Clock()
    with trio.fail_after(10):
        async with Tokens.open(directory, clock) as tokens:
            made = await tokens.create("a", Scope.CHAT, 3600, None)
            grant = tokens.grant(made.token, "default")
            await tokens.revoke("a")
            clock.wall -= 1e6
            assert grant.over


# --- audit ---------------------------------------------------------------------


async def test_a_later_profile_of_the_same_name_has_none_of_the_tokens(directory):
    with trio.fail_after(10):
        async with Tokens.open(directory, Clock()) as tokens:
            made = {
                name: (await tokens.create(name, Scope.CHAT, None, profiles)).token
                for name, profiles in [("one", ["work"]), ("two", ["work", "home"]), ("all", None)]
            }
            grant = tokens.grant(made["one"], "work")
            await tokens.forget_profile("work")
            assert grant.over
            assert [item.name for item in tokens.list(10, None).items] == ["all", "two"]
        async with Tokens.open(directory, Clock()) as tokens:
            for name in ("one", "two"):
                with pytest.raises(AccessError):
                    tokens.grant(made[name], "work")
            assert tokens.grant(made["two"], "home").profiles == {"home"}
            assert tokens.grant(made["all"], "work").scope is Scope.CHAT


async def test_alike_calls_are_one_row_and_single_ones_their_own(tmp_path):
    clock, trail = Clock(), AuditTrail()
    with trio.fail_after(10):
        async with (
            Database.open(tmp_path / "db", b"k" * 32, clock, Bus()) as db,
            trail.writing_to(db),
        ):
            for _ in range(3):
                await db.write(lambda tx: audit.note(tx, CALLER))
            await trail.note(CALLER, "blocked")
            begun = await trail.begin(CALLER, "kez (pid 9, /bin/kez)")
            rows = (await trail.list(10, None)).items
            assert [(r.outcome, r.count) for r in rows] == [("begun", 1), ("blocked", 1), ("ok", 3)]
            await trail.end(begun, "ok")
            clock.wall += 3600
            await trail.note(CALLER, "ok")
            page = await trail.list(2, None)
            assert [(r.outcome, r.confirmed_by) for r in page.items] == [
                ("ok", None),
                ("ok", "kez (pid 9, /bin/kez)"),
            ]
            rest = await trail.list(2, page.next_cursor)
            assert [r.outcome for r in rest.items] == ["blocked", "ok"]
            assert rest.next_cursor is None
            assert await refused(trail.list(2, "x")) is Slug.INVALID_ARGUMENT


async def test_what_came_before_the_database_is_written_when_it_opens(tmp_path):
    clock, trail = Clock(), AuditTrail()
    with trio.fail_after(10):
        await trail.note(CALLER, "locked")
        begun = await trail.begin(CALLER, None)
        assert await refused(trail.list(10, None)) is Slug.NO_IDENTITY
        async with (
            Database.open(tmp_path / "db", b"k" * 32, clock, Bus()) as db,
            trail.writing_to(db),
        ):
            assert [r.outcome for r in (await trail.list(10, None)).items] == ["begun", "locked"]
            await trail.end(begun, "ok")
            assert [r.outcome for r in (await trail.list(10, None)).items] == ["ok", "locked"]


class _SlowStore:
    """A real database that lets something happen before each commit of the audit log's backlog."""

    def __init__(self, db, meanwhile):
        self._db = db
        self._meanwhile = meanwhile

    async def write(self, function):
        done = await self._db.write(function)
        if self._meanwhile:
            await self._meanwhile.pop(0)()
        return done

    def __getattr__(self, name):
        return getattr(self._db, name)


async def test_what_comes_and_ends_while_the_backlog_is_written_is_written_too(tmp_path):
    trail = AuditTrail()
    with trio.fail_after(10):
        early = await trail.begin(CALLER, None)
        late = []

        async def meanwhile():
            late.append(await trail.begin(CALLER, None))
            await trail.note(CALLER, "locked")
            await trail.end(early, "ok")

        async with (
            Database.open(tmp_path / "db", b"k" * 32, Clock(), Bus()) as db,
            trail.writing_to(_SlowStore(db, [meanwhile])),
        ):
            await trail.end(late[0], "ok")
            assert [r.outcome for r in (await trail.list(10, None)).items] == ["locked", "ok", "ok"]


async def test_rows_go_by_age_and_number(tmp_path):
    clock = Clock()
    with trio.fail_after(30):
        async with Database.open(tmp_path / "db", b"k" * 32, clock, Bus()) as db:
            await db.write(lambda tx: [audit.begin(tx, CALLER, None) for _ in range(20)])
            clock.wall += audit.KEPT_SECONDS + 1
            await db.write(lambda tx: audit.begin(tx, CALLER, None))
            await db.write(audit.prune)
            assert len(await db.read(lambda tx: audit.page(tx, None, 100))) == 1
            await db.write(
                lambda tx: tx.execute_many(
                    "UPDATE audit SET id = ? WHERE id = ?", [(audit.KEPT_ROWS + 500, 21)]
                )
            )
            await db.write(lambda tx: audit.begin(tx, CALLER, None))
            await db.write(
                lambda tx: tx.execute(
                    "INSERT INTO audit (id, at, last_at, connection, method, client, pid, executable, scope, outcome)"
                    " VALUES (500, 0, ?, '', '', '', 0, '', '', '')",
                    (clock.wall,),
                )
            )
            await db.write(audit.prune)
            assert [r.id for r in await db.read(lambda tx: audit.page(tx, None, 100))] == [
                audit.KEPT_ROWS + 501,
                audit.KEPT_ROWS + 500,
            ]

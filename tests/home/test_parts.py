"""Small parts of home by themselves: JWTs, nkeys, supervision, the edge, permissions."""

import asyncio  # noqa: TID251 - home is an asyncio process
import json
import logging
import secrets

import nkeys
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from kezd.home.beside import running_beside
from kezd.home.errors import HomeSetupError
from kezd.home.http_wire import Edge
from kezd.home.metrics import Metrics
from kezd.home.nats_jwt import JwtError, decode_jwt, encode_jwt, from_base64_any
from kezd.home.nats_keys import NatsKey, create_missing_keys, key_path, load_keys
from kezd.home.policy import Permissions, reachable_generation
from kezd.home.store.ports import StoredSession
from kezd.home.store.sqlite import SqliteFile
from kezd.home.task_pool import TaskPool
from kezd.kez.errors import EncodingError
from kezd.kez.nkeys import Prefix


def test_jwts_round_trip_and_the_nkeys_package_agrees():
    key = NatsKey(Prefix.SERVER, secrets.token_bytes(32))
    token = encode_jwt({"aud": "x", "nats": {"type": "y"}}, key, 1_800_000_000)
    claims = decode_jwt(token.encode(), Prefix.SERVER)
    assert (claims["aud"], claims["iss"], claims["iat"]) == ("x", key.public, 1_800_000_000)
    signed, _, signature = token.rpartition(".")
    pair = nkeys.from_seed(bytearray(key.seed_text().encode()))
    assert pair.public_key.decode() == key.public
    assert pair.verify(signed.encode(), from_base64_any(signature))


def test_a_jwt_of_another_kind_of_key_is_refused():
    token = encode_jwt({}, NatsKey(Prefix.ACCOUNT, secrets.token_bytes(32)), 1).encode()
    with pytest.raises(JwtError):
        decode_jwt(token, Prefix.SERVER)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_of_a_jwt_is_refused(place, change):
    token = bytearray(encode_jwt({"a": 1}, NatsKey(Prefix.SERVER, bytes(32)), 1).encode())
    token[place % len(token)] ^= change
    try:
        claims = decode_jwt(bytes(token), Prefix.SERVER)
    except JwtError:
        return
    # base64 leaves spare bits at the very end of the signature: the same bytes, written differently
    assert claims["a"] == 1
    assert place % len(token) >= len(token) - 1 or chr(token[place % len(token)]) in "=+/-_"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text("abc.=-_", max_size=60).map(str.encode))
def test_any_bytes_are_a_jwt_or_a_typed_error(data):
    with pytest.raises(JwtError):
        decode_jwt(data, Prefix.SERVER)


def test_base64_in_either_alphabet():
    assert from_base64_any("-_-_") == from_base64_any("+/+/")
    for text in ("!", "a", "ab=c"):
        with pytest.raises(EncodingError):
            from_base64_any(text)


def test_an_empty_allow_list_cannot_be_made():
    """nats-server reads an empty list as: everything."""
    for lists in (((), ("a",)), (("a",), ()), ((), ())):
        with pytest.raises(ValueError, match="empty"):
            Permissions(*lists)


def test_reachable_generations():
    assert reachable_generation(None, "a") == 1
    assert reachable_generation(StoredSession(3, "a"), "a") == 3
    assert reachable_generation(StoredSession(3, "a"), "b") == 4
    assert reachable_generation(StoredSession(3, "a"), "") == 4


def test_key_files_are_private_and_damage_is_told(tmp_path):
    create_missing_keys(tmp_path, secrets.token_bytes)
    loaded = load_keys(tmp_path)
    assert load_keys(tmp_path).issuer.public == loaded.issuer.public
    assert loaded.issuer.seed_text() not in repr(loaded)
    path = key_path(tmp_path, "home")
    path.chmod(0o644)
    with pytest.raises(HomeSetupError, match="others can read"):
        load_keys(tmp_path)
    path.chmod(0o600)
    path.write_text("SUnonsense")
    with pytest.raises(HomeSetupError, match="holds no nkey seed"):
        load_keys(tmp_path)
    path.unlink()
    with pytest.raises(HomeSetupError, match="no key file"):
        load_keys(tmp_path)


def test_what_fails_beside_a_block_ends_the_block():
    async def fails():
        raise LookupError("a bug")

    async def main():
        async with running_beside(fails(), "test"):
            await asyncio.Event().wait()

    with pytest.raises(LookupError, match="a bug"):
        asyncio.run(main())


def test_what_the_block_raises_comes_out_unchanged():
    async def main():
        async with running_beside(asyncio.Event().wait(), "test"):
            raise HomeSetupError("x", hint="y")

    with pytest.raises(HomeSetupError):
        asyncio.run(main())


@pytest.mark.expects_error("a request failed")
def test_a_pool_is_bounded_and_outlives_a_failing_task(caplog):
    async def fails():
        raise LookupError("a bug")

    async def main():
        async with TaskPool.open(1, 1.0) as pool:
            assert pool.spawn(fails())
            assert not pool.spawn(fails())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            done = asyncio.Event()

            async def works():
                done.set()

            assert pool.spawn(works())
            await done.wait()

    asyncio.run(main())


@pytest.mark.expects_error("request failed")
def test_a_bug_answers_500_with_an_incident_that_the_log_has_too(caplog):
    async def router(scope, receive, send):
        raise LookupError("a bug")

    async def main():
        sent = []

        async def send(message):
            sent.append(message)

        edge = Edge(router, Metrics(CollectorRegistry()), secrets.token_bytes)
        await edge({"type": "http", "method": "GET", "headers": []}, None, send)
        return sent

    start, body = asyncio.run(main())
    assert start["status"] == 500
    answer = json.loads(body["body"])
    assert answer["error"] == "internal"
    assert "bug" not in answer["message"]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.incident == answer["incident"]


def test_a_database_of_a_newer_version_is_not_touched(tmp_path):
    async def with_migrations(*scripts):
        async with SqliteFile.open(tmp_path / "x.db", scripts):
            pass

    asyncio.run(with_migrations("CREATE TABLE a (x)", "CREATE TABLE b (x)"))
    asyncio.run(with_migrations("CREATE TABLE a (x)", "CREATE TABLE b (x)"))
    with pytest.raises(HomeSetupError, match="newer"):
        asyncio.run(with_migrations("CREATE TABLE a (x)"))


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "x.db").write_bytes(b"not a database, but long enough to look like one" * 100)

    async def opening():
        async with SqliteFile.open(tmp_path / "x.db", ["CREATE TABLE a (x)"]):
            pass

    with pytest.raises(HomeSetupError, match="cannot open the database"):
        asyncio.run(opening())

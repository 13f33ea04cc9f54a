"""A real daemon tells its clients when a profile opens, and when one is removed; clients wait without asking."""

import threading

import pytest
import trio

from kezd.client.follow import follow
from kezd.client.sync import Client
from kezd.client.trio_client import open_client
from kezd.errors import KezdError, Slug
from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import PeerProcess, VaultKind


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="kez.test") as process:
        yield process


class Waiting:
    """A client that waits for its profile, in a thread of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.error: KezdError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.client.wait_open()
        except KezdError as error:
            self.error = error

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def over(self) -> KezdError | None:
        self._thread.join(20)
        assert not self.waits
        self.client.close()
        return self.error


def test_an_empty_profile_opens_and_so_does_a_locked_one(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url, vault=VaultKind.LOCKED) as peer:
        client = peer.client()
        assert (client.session["state"], client.session["handle"], client.session["primary"]) == (
            "empty",
            None,
            None,
        )
        waiting = Waiting(client)
        secret = tmp_path / "secret"
        secret.write_text(peer.passphrase)
        words = ("--words-file", str(tmp_path / "w"), "--passphrase-file", str(secret))
        peer.kez("register", "ann", *words)
        assert waiting.over() is None
        with peer.client() as client:
            shown = client.call("identity.show")
            assert client.session["handle"] == shown["handle"] == "ann@kez.test"
            assert client.session["primary"] == shown["primary"]

        peer.restart()
        with peer.client() as client:
            assert (client.session["state"], client.session["handle"]) == ("locked", None)
        waiting = [Waiting(peer.client()) for _ in range(3)]
        with peer.client() as client:
            with pytest.raises(KezdError):
                client.call("session.unlock", passphrase="wrong")
            assert all(one.waits for one in waiting), "it is locked as before"
            client.call("session.unlock", passphrase=peer.passphrase)
            assert client.session["state"] == "locked"
            client.wait_open()  # what came before the answer is not lost
        assert [one.over() for one in waiting] == [None] * 3


def test_a_client_comes_back_to_a_profile_that_is_locked_at_first(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url, vault=VaultKind.LOCKED) as peer:
        secret = tmp_path / "secret"
        secret.write_text(peer.passphrase)
        words = ("--words-file", str(tmp_path / "w"), "--passphrase-file", str(secret))
        peer.kez("register", "bea", *words)

        def unlock():
            with peer.client() as other:
                other.call("session.unlock", passphrase=peer.passphrase)

        with peer.client() as client:
            peer.restart()
            unlocking = threading.Timer(0.7, unlock)
            unlocking.start()
            client.reconnect()
            assert client.session["state"] == "open"
            unlocking.join()


def test_a_removed_profile_is_said_to_be(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url, vault=VaultKind.LOCKED) as peer:
        with peer.client(token="full") as owner:
            owner.decide = lambda _: True
            owner.call("profiles.create", name="short")
            waiting = Waiting(peer.client(profile="short"))
            other = Waiting(peer.client())
            owner.call("profiles.remove", name="short", force=True)
            error = waiting.over()
            assert error is not None
            assert error.slug is Slug.UNKNOWN_PROFILE
            assert other.waits, "another profile is not removed"
        peer.stop()
        error = other.over()
        assert error is not None
        assert error.slug in (Slug.STOPPING, Slug.NOT_RUNNING)


async def test_under_trio_clients_and_consumers_wait_as_well(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url, vault=VaultKind.LOCKED) as peer:
        secret = tmp_path / "secret"
        secret.write_text(peer.passphrase)
        heard = []

        async def consume(task_status=trio.TASK_STATUS_IGNORED):
            async with follow(["identity"], "bot", path=str(peer.socket)) as events:
                task_status.started()
                async for event in events:
                    heard.append(event["event"]["type"])
                    await events.ack()
                    if heard[-1] == "registered":
                        return

        with trio.fail_after(60):
            async with open_client(str(peer.socket)) as client, trio.open_nursery() as nursery:
                assert client.state == "empty"
                await nursery.start(consume)
                words = ("--words-file", str(tmp_path / "w"), "--passphrase-file", str(secret))
                await trio.to_thread.run_sync(peer.kez, "register", "cleo", *words)
                await client.wait_open()
                assert client.state == "open"
                with peer.client() as other:
                    assert other.session["handle"] == "cleo@kez.test"
                nursery.cancel_scope.cancel()
            await trio.to_thread.run_sync(peer.restart)
            async with open_client(str(peer.socket), token="full") as client:
                assert client.state == "locked"
                with trio.move_on_after(0.2) as waited:
                    await client.wait_open()
                assert waited.cancelled_caught
                await client.call("session.unlock", passphrase=peer.passphrase)
                await client.wait_open()
            async with open_client(str(peer.socket)) as client:
                assert client.state == "open"

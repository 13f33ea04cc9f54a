"""`kez token`, `kez confirm` and `kez audit` with a real daemon; and its files."""

import json
import os
import pty
import signal
import subprocess

import pytest

from kezd.client.sync import Client
from kezd.errors import KezdError, Slug
from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import BESIDE_PYTHON, PeerProcess


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    directory = tmp_path_factory.mktemp("access")
    environ = {"KEZD_RPC_CONFIRM_S": "20"}
    with (
        HomeProcess.start(directory / "home", server="kez.test") as home,
        PeerProcess.running(directory / "alice", home_url=home.url, environ=environ) as peer,
    ):
        peer.kez("register", "alice", "--words-file", str(directory / "words"))
        yield peer
        assert peer.errors() == []


@pytest.fixture(scope="module")
def passphrase(peer):
    path = peer.directory.with_name("given")
    path.write_text(peer.passphrase + "\n")
    return str(path)


def test_a_token_is_made_used_and_revoked(peer):
    made = peer.kez("token", "create", "status bar", "--scope", "read", "--expires", "30d")
    with peer.client(token=made["token"]) as bot:
        assert bot.session["scope"] == "read"
        bot.call("identity.show")
        with pytest.raises(KezdError) as caught:
            bot.call("chat.send", to="@bob", text="x")
        assert (caught.value.slug, bool(caught.value.hint)) == (Slug.FORBIDDEN, True)
        [item] = peer.kez("token", "list")["items"]
        assert (item["name"], item["scope"], item["last_used_at"] is not None) == ("status bar", "read", True)
        assert "status bar" in peer.kez_text("token", "list")
        peer.kez("token", "revoke", "status bar")
        with pytest.raises(KezdError):
            bot.call("identity.show")
    assert peer.kez_fails("token", "revoke", "status bar")[0] == 5
    with pytest.raises(KezdError) as caught:
        peer.client(token=made["token"])
    assert caught.value.slug is Slug.FORBIDDEN


def test_a_program_that_asks_for_nothing_gets_chat(peer):
    with Client.connect(str(peer.socket)) as client:
        assert client.session["scope"] == "chat"
        for method in ("identity.words", "tokens.list", "audit.list", "daemon.shutdown"):
            with pytest.raises(KezdError) as caught:
                client.call(method)
            assert caught.value.slug is Slug.FORBIDDEN


def test_yes_for_scripts(peer, passphrase):
    assert len(peer.kez("words", "--yes", "--passphrase-file", passphrase)["words"]) == 24
    assert peer.kez("token", "create", "other", "--scope", "full", "--yes")["item"]["scope"] == "full"
    peer.kez("token", "revoke", "other")


def command(peer, *arguments):
    environ = {**os.environ, "KEZD_HOME": str(peer.directory), "NO_COLOR": "1"}
    return [str(BESIDE_PYTHON / "kez"), *arguments], environ


def waiting(peer):
    while not (items := peer.kez("confirm")["items"]):
        pass
    return items[0]["id"]


@pytest.mark.parametrize(("answer", "code"), [("--allow", 0), ("--refuse", 4)])
def test_another_terminal_answers(peer, passphrase, answer, code):
    arguments, environ = command(peer, "--json", "words", "--passphrase-file", passphrase)
    with subprocess.Popen(
        arguments, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asking:
        peer.kez("confirm", answer, waiting(peer))
        out, err = asking.communicate(timeout=20)
    assert asking.returncode == code, err
    assert b"kez confirm" in err
    if code:
        assert b"confirmation_refused" in err
    else:
        assert len(json.loads(out)["words"]) == 24
    assert peer.kez_fails("confirm", "--allow", "0" * 16)[0] == 5


@pytest.mark.parametrize(("typed", "code"), [(b"y\n", 0), (b"n\n", 4), (b"\n", 4)])
def test_the_person_at_the_terminal_is_asked(peer, passphrase, typed, code):
    arguments, environ = command(peer, "words", "--passphrase-file", passphrase)
    pid, screen = pty.fork()
    if pid == 0:
        os.execvpe(arguments[0], arguments, environ)
    shown = b""
    try:
        while b"[y/N]" not in shown:
            shown += os.read(screen, 4096)
        os.write(screen, typed)
        while True:
            shown += os.read(screen, 4096)
    except OSError:  # the end of a terminal
        pass
    finally:
        os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code, shown
    assert b"recovery words of @alice@kez.test" in shown
    assert (b"24. " in shown) is (code == 0)


def test_who_is_killed_while_asking_gets_nothing(peer, passphrase):
    arguments, environ = command(peer, "words", "--passphrase-file", passphrase)
    with subprocess.Popen(
        arguments, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as asking:
        question = waiting(peer)
        asking.send_signal(signal.SIGKILL)
        asking.wait(20)
    while peer.kez("confirm")["items"]:
        pass
    assert peer.kez_fails("confirm", "--allow", question)[0] == 5


def test_the_audit_log_tells_who_did_what(peer, passphrase):
    peer.kez("words", "--yes", "--passphrase-file", passphrase)
    rows = peer.kez("audit")["items"]
    words = next(row for row in rows if row["method"] == "identity.words")
    assert (words["client"], words["scope"], words["token"], words["outcome"]) == (
        "kez", "full", "full.token", "ok",
    )  # fmt: skip
    assert words["confirmed_by"].startswith("kez (pid ")
    assert words["executable"].startswith("/")
    methods = {row["method"] for row in peer.kez("audit", "--limit", "1000")["items"]}
    assert {"identity.create", "identity.confirm", "identity.register", "audit.list"} <= methods, (
        "also what came before there was a database"
    )
    assert "identity.words" in peer.kez_text("audit")


def test_a_full_token_open_to_others_stops_the_daemon_with_a_fix(peer):
    path = peer.directory / "data" / "full.token"
    peer.stop()
    path.chmod(0o644)
    try:
        with pytest.raises(RuntimeError, match="chmod 600"):
            peer.start()
    finally:
        path.chmod(0o600)
        peer.start()
    assert peer.kez("whoami")["state"] == "active"

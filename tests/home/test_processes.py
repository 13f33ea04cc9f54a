"""The processes: nats-server killed, home killed, stopped gently, stopped twice, misused."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from kezd.home.nats_keys import create_missing_keys, load_keys
from kezd.testing.home_driver import HomeProcess
from kezd.testing.home_people import Person
from kezd.testing.nats_driver import NatsServer
from kezd.testing.ports import free_port
from kezd.testing.raw_nats import RefusedError


def eventually(attempt, seconds=10.0):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except (OSError, RefusedError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def exists(pid):
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid):
    assert not exists(pid)


def test_a_killed_nats_server_comes_back_with_everything(home):
    alice, bobby = Person("alice"), Person("bobby")
    for person in (alice, bobby):
        person.register(home.url)
    sender, reader = alice.connect(home.nats_url), bobby.connect(home.nats_url)
    sender.ask_session()
    reader.ask_session()
    assert "seq" in sender.send(bobby.public, b"acknowledged")
    old = home.nats_pid
    home.kill_nats()
    again = eventually(lambda: bobby.connect(home.nats_url))
    assert home.nats_pid != old
    assert eventually(again.ask_session)["generation"] == 1
    assert [message.data for message in again.pull()] == [b"acknowledged"]


def test_nats_server_dies_with_a_killed_home_and_both_come_back(home):
    alice = Person("alice")
    alice.register(home.url)
    sender = alice.connect(home.nats_url)
    sender.ask_session()
    assert "seq" in sender.send(alice.public, b"acknowledged")
    nats_pid, urls = home.nats_pid, (home.url, home.nats_url)
    home.kill()
    eventually(lambda: gone(nats_pid))
    home.restart()
    assert (home.url, home.nats_url) == urls
    assert httpx.get(f"{home.url}/v1/u/alice").status_code == 200
    again = alice.connect(home.nats_url)
    assert again.ask_session()["generation"] == 1
    assert [message.data for message in again.pull()] == [b"acknowledged"]


def test_home_waits_for_the_nats_server_of_the_one_before(home):
    nats_pid = home.nats_pid
    os.kill(nats_pid, signal.SIGSTOP)
    home.kill()
    os.kill(nats_pid, signal.SIGCONT)
    home.restart()
    assert not exists(nats_pid)


def test_a_gentle_stop_leaves_nothing_and_exits_0(tmp_path):
    with HomeProcess.start(tmp_path / "home") as home:
        nats_pid = home.nats_pid
        keep_alive = httpx.Client()
        keep_alive.get(f"{home.url}/v1/healthz")
        started = time.monotonic()
        assert home.stop() == 0
        assert time.monotonic() - started < 5
        gone(nats_pid)
        keep_alive.close()
        assert home.errors() == []


def test_a_request_under_way_is_answered_before_the_stop(tmp_path):
    with HomeProcess.start(tmp_path / "home") as home:
        host, port = home.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /v1/register HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            httpx.get(f"{home.url}/v1/healthz")
            os.kill(home.pid, signal.SIGTERM)
            time.sleep(0.3)  # the stop is under way, and waits for this request
            slow.sendall(b"}")
            assert slow.recv(4096).startswith(b"HTTP/1.1 400")
        assert home.wait() == 0


def test_a_second_signal_is_immediate(tmp_path):
    with HomeProcess.start(tmp_path / "home") as home:
        host, port = home.url.removeprefix("http://").split(":")
        nats_pid = home.nats_pid
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /v1/register HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            httpx.get(f"{home.url}/v1/healthz")
            os.kill(home.pid, signal.SIGTERM)
            eventually(lambda: said(home, "home is stopping"))
            started = time.monotonic()
            os.kill(home.pid, signal.SIGTERM)
            assert home.stop() == 128 + signal.SIGTERM
            assert time.monotonic() - started < 1
        eventually(lambda: gone(nats_pid))


def said(home, words):
    assert any(words in line for line in home.log_lines())


def command(*arguments, environ=None):
    return subprocess.run(
        [sys.executable, "-m", "kezd.home.main", *arguments],
        capture_output=True, text=True, timeout=60, env={**os.environ, **(environ or {})}, check=False,
    )  # fmt: skip


def test_two_homes_do_not_share_a_port(home, tmp_path):
    port = home.url.rpartition(":")[2]
    second = command(
        "sigchain",
        "--dir",
        str(tmp_path / "second"),
        "--bind",
        f"127.0.0.1:{port}",
        "--internal-bind",
        "127.0.0.1:0",
    )
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_init_makes_keys_once_and_a_config(tmp_path):
    first = command("init", "--dir", str(tmp_path), "--json")
    assert json.loads(first.stdout)["keys_made"] == ["issuer", "callout", "home", "admin"]
    issuer = load_keys(tmp_path / "keys").issuer.public
    second = command("init", "--dir", str(tmp_path), "--json")
    assert json.loads(second.stdout) == json.loads(first.stdout) | {"keys_made": []}
    assert issuer in (tmp_path / "nats.conf").read_text()
    assert (tmp_path / "keys" / "issuer.nk").stat().st_mode & 0o777 == 0o600
    assert command("init", "--dir", str(tmp_path)).stdout.startswith("keys made: none")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly"], "invalid choice"),
        (["up", "--bind", "nonsense"], "is not host:port"),
        (["up", "--jwt-ttl", "7200"], "at most 3600"),
        (["up", "--jwt-ttl", "-1"], "above 0"),
        (["up", "--no-nats"], "--no-nats needs --nats-url"),
        (["up", "--trusted-proxy", "everybody"], "is not a network"),
        (["up", "--server", "no spaces"], "is not a server name"),
        (["up", "--sync-interval", "soon"], "is not always, or a time"),
        (["up", "--nats-monitoring", "8222"], "is not host:port"),
        (["up", "--nats-websocket", '127.0.0.1:1" }'], "is not host:port"),
        (["up", "--inbox-max-bytes", "-5"], "a number of bytes above 0"),
        (["up", "--public-url", "your.server"], "is not a URL"),
    ],
)
def test_wrong_usage_exits_2(arguments, words):
    answer = command(*arguments, environ={"NATS_URL": ""})
    assert answer.returncode == 2
    assert words in answer.stderr


def test_a_wrong_variable_is_named():
    answer = command("up", environ={"KEZ_CHAT_BIND": "nonsense"})
    assert answer.returncode == 2
    assert "variable KEZ_CHAT_BIND: 'nonsense' is not host:port" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["init", "--dir", "FILE"], "cannot write to FILE: File exists\n  choose a directory"),
        (["up", "--dir", "FILE"], "cannot write to FILE: File exists\n  choose a directory"),
        (["up", "--dir", "DIR", "--web-dir", "FILE"], "there is no directory FILE\n  see --web-dir"),
        (["check", "--dir", "DIR"], "run: kezd-home init --dir DIR"),
        (["up", "--dir", "DIR", "--nats-monitoring", "127.0.0.1:BUSY"], "address already in use"),
    ],
)
def test_what_cannot_start_says_why(tmp_path, arguments, words):
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as busy:
        names = {
            "FILE": str(tmp_path / "file"), "DIR": str(tmp_path / "dir"), "BUSY": str(busy.getsockname()[1]),
        }  # fmt: skip

        def filled(text):
            for name, value in names.items():
                text = text.replace(name, value)
            return text

        anywhere = ["--bind", "127.0.0.1:0", "--internal-bind", "127.0.0.1:0", "--nats-bind", "127.0.0.1:0"]
        answer = command(*map(filled, arguments), *anywhere)
    assert answer.returncode == 1
    assert filled(words) in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_help_teaches():
    answer = command("up", "--help")
    assert answer.returncode == 0
    for word in ("KEZ_CHAT_BIND", "KEZ_CHAT_DB", "KEZ_CHAT_SERVER", "KEZ_CHAT_SIG_SERVER_URL", "KEZ_CHAT_WEB_DIR",
                 "NATS_URL", "AUTH_CALLOUT_NKEY_PATH", "KEZ_DB", "exit codes"):  # fmt: skip
        assert word in answer.stdout


def test_the_front_page(home):
    page = httpx.get(f"{home.url}/")
    assert f"kez register alice --home-url {home.url}" in page.text
    assert page.headers["content-security-policy"] == "default-src 'none'"


def test_roles_alone(tmp_path):
    with HomeProcess.start(tmp_path / "chains", role="sigchain") as chains:
        assert httpx.get(f"{chains.url}/v1/sigchains/ed25519/{'ab' * 32}").status_code == 404
        assert httpx.get(f"{chains.url}/v1/healthz").json()["error"] == "not_found"
        with HomeProcess.start(
            tmp_path / "registry", role="registry", extra_args=["--sig-server-url", chains.url]
        ) as registry:
            record = Person("alice").register(registry.url).json()
            assert record["sigchain_url"].startswith(f"{chains.url}/v1/sigchains/ed25519/")
            assert registry.nats_url == ""


def test_a_web_directory_is_served_and_not_left(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "index.html").write_text("<p>hello")
    (tmp_path / "secret").write_text("secret")
    extra = ["--web-dir", str(tmp_path / "web")]
    with HomeProcess.start(tmp_path / "home", role="registry", extra_args=extra) as home:
        assert httpx.get(f"{home.url}/").text == "<p>hello"
        assert httpx.get(f"{home.url}/../secret").status_code == 404
        assert httpx.get(f"{home.url}/%2e%2e/secret").json()["error"] == "not_found"
        assert home.errors() == []


@pytest.fixture
def own_nats(tmp_path):
    """An operator's own broker, with the config that `init` wrote for it."""
    directory = tmp_path / "home"
    assert command("init", "--dir", str(directory)).returncode == 0
    config = (directory / "nats.conf").read_text()
    lines = [
        line
        for line in config.splitlines()
        if not line.startswith(("listen:", "log_", "logfile_", "pid_file"))
    ]
    with NatsServer.start(tmp_path / "own", "\n".join(lines)) as server:
        yield directory, server


def test_an_operators_own_nats(own_nats):
    directory, server = own_nats
    assert check(directory, server.url)["ok"]
    with HomeProcess.start(directory, extra_args=["--no-nats", "--nats-url", server.url]) as home:
        alice = Person("alice")
        alice.register(home.url)
        on_nats = alice.connect(home.nats_url)
        assert on_nats.ask_session()["generation"] == 1
        assert check(directory, server.url)["ok"], "also beside a running home"
        server.restart()
        again = eventually(lambda: alice.connect(home.nats_url))
        assert eventually(again.ask_session)["generation"] == 1
        assert home.errors() == []
    started = time.monotonic()
    with pytest.raises(
        RefusedError, match=r"Authorization Violation|Authentication Timeout|Connection reset"
    ):
        alice.connect(server.url)
    assert 1.5 < time.monotonic() - started < 4, "callout down: the server's own time-out"


def check(directory, url):
    answer = command("check", "--dir", str(directory), "--nats-url", url, "--json")
    body = json.loads(answer.stdout)
    assert answer.returncode == (0 if body["ok"] else 1), answer.stderr
    return body | {"bad": {row["check"]: row for row in body["findings"] if row["level"] != "ok"}}


@pytest.mark.parametrize(
    ("before", "after", "finding", "words"),
    [
        ("sync_interval: always", "", "sync of kezd-home", "sync_interval: always"),
        ("max_payload: 262144", "max_payload: 65536", "max_payload of kezd-home", "max_payload: 256KB"),
        ("    limits {", "    jetstream: enabled\n    limits {", "account CLIENTS", "remove `jetstream`"),
        ('      { service: "kez.rpc.*.session", accounts: [CLIENTS] }\n', "", "exports of STORE", "copy them"),
        ("max_consumers: 200000", "max_consumers: 10", "JetStream in STORE", "max_consumers: 200000"),
    ],
)  # fmt: skip
def test_check_finds_what_is_wrong(tmp_path, before, after, finding, words):
    directory = tmp_path / "home"
    assert command("init", "--dir", str(directory)).returncode == 0
    config = (directory / "nats.conf").read_text()
    assert before in config
    config = config.replace(before, after)
    if finding == "exports of STORE":
        config = config.replace('      { service: { account: STORE, subject: "kez.rpc.*.session" } }\n', "")
    lines = [
        line
        for line in config.splitlines()
        if not line.startswith(("listen:", "log_", "logfile_", "pid_file"))
    ]
    with NatsServer.start(tmp_path / "own", "\n".join(lines)) as server:
        bad = check(directory, server.url)["bad"]
        assert words in bad[finding]["fix"]


def test_check_finds_that_there_is_no_jetstream(tmp_path):
    directory = tmp_path / "home"
    assert command("init", "--dir", str(directory)).returncode == 0
    config = (directory / "nats.conf").read_text()
    config = re.sub(r"^jetstream \{.*?\n\}$", "", config, flags=re.DOTALL | re.MULTILINE)
    config = re.sub(r"^    jetstream \{.*$", "", config, flags=re.MULTILINE)
    lines = [line for line in config.splitlines() if not line.startswith(("listen:", "log", "pid_file"))]
    with NatsServer.start(tmp_path / "own", "\n".join(lines)) as server:
        bad = check(directory, server.url)["bad"]
    assert "jetstream { }" in bad["JetStream in STORE"]["fix"]
    assert "jetstream { }" in bad["sync of kezd-home"]["fix"]


def test_check_finds_wrong_keys_a_wrong_issuer_and_a_silent_address(own_nats, tmp_path):
    directory, server = own_nats
    nothing = check(directory, f"nats://127.0.0.1:{free_port()}")
    assert "start nats-server" in nothing["bad"]["connection"]["fix"]
    create_missing_keys(tmp_path / "other" / "keys", os.urandom)
    strangers = check(tmp_path / "other", server.url)
    assert set(strangers["bad"]) == {"admin key", "home key", "callout key"}
    (tmp_path / "other" / "keys" / "issuer.nk").replace(directory / "keys" / "issuer.nk")
    assert "auth_callout issuer" in check(directory, server.url)["bad"]["auth callout"]["fix"]
    assert "kezd-home init" in check(tmp_path / "empty", server.url)["bad"]["keys"]["fix"]

"""Safety words, QR codes and decisions about keys, as a person meets them in `kez`."""

import json
import os
import re
import subprocess
import sys
from functools import partial

import msgspec
import pytest
import trio
import zxingcpp

from kez_cli.code import half_blocks
from kezd.api import types as t
from kezd.testing.memory_peer import CONTACT
from kezd.testing.peer_driver import BESIDE_PYTHON
from kezd.testing.rpc_driver import open_rpc
from kezd.testing.terminal import TerminalProcess

KEZ = str(BESIDE_PYTHON / "kez")
NEW = "ed25519:" + "cd" * 32
ALARMED = msgspec.structs.replace(
    CONTACT,
    reverify=True,
    alarm=t.Alarm(
        kind="key_changed",
        since=0,
        detail="another key has this handle now",
        new_primary=NEW,
        new_safety_words=["zoo"] * 12,
    ),
)


def at_a_terminal(peer, *arguments, columns=80, environ=None) -> TerminalProcess:
    return TerminalProcess([KEZ, *arguments], {**peer._environ, **(environ or {})}, columns)


# --- safety words ------------------------------------------------------------------------


def test_a_person_compares_words(pair):
    alice, bob = pair
    screens = []
    for peer, other in ((alice, "@bob"), (bob, "@alice")):
        terminal = at_a_terminal(peer, "safety", other)
        screens.append(terminal.wait_for("[y/N] "))
        terminal.type("y")
        terminal.wait_for("is verified")
        assert terminal.end() == 0
    words = [re.findall(r"\d ([A-Z]+)", screen) for screen in screens]
    assert words[0] == words[1]
    assert [word.lower() for word in words[0]] == alice.kez("contacts", "@bob")["safety_words"]
    assert "@alice@kez.test" in screens[0]
    assert "@bob@kez.test" in screens[0]
    assert all(len(line) <= 95 for line in screens[0].splitlines())
    assert "verified" in alice.kez_text("contacts")
    assert "yes, on " in alice.kez_text("contacts", "@bob")
    assert "You compared them on" in alice.kez_text("safety", "@bob")


def test_only_a_yes_verifies(pair):
    alice, _ = pair
    alice.kez("safety", "@bob", "--no")
    for answer, told in (("", "Nothing was noted"), ("maybe", "Nothing was noted"), ("n", "is not verified")):
        terminal = at_a_terminal(alice, "safety", "@bob")
        terminal.wait_for("[y/N] ")
        terminal.type(answer)
        terminal.wait_for(told)
        assert terminal.end() == 0
        assert alice.kez("contacts", "@bob")["verified_at"] is None


def test_scripts_answer_with_a_flag(pair):
    alice, _ = pair
    assert alice.kez("safety", "@bob")["verified_at"] is None, "asking changes nothing"
    assert alice.kez("safety", "@bob", "--yes")["verified_at"] > 0
    assert alice.kez("safety", "@bob", "--no")["verified_at"] is None
    assert alice.kez_fails("safety", "@bob", "--yes", "--no")[0] == 2
    assert alice.kez_fails("safety", "@nobody")[0] == 5


def test_words_of_another_key_are_refused(pair):
    alice, _ = pair
    wrong = json.dumps({"contact": "@bob", "safety_words": ["zoo"] * 12})
    code, stderr = alice.kez_fails("rpc", "contacts.verify", wrong)
    assert code == 8
    assert "not the safety words" in stderr


# --- decisions -----------------------------------------------------------------------------


def test_without_an_alarm_there_is_nothing_to_decide(pair):
    for flag in ("--trust", "--keep-old"):
        code, stderr = pair[0].kez_fails("contacts", flag, "@bob")
        assert code == 5
        assert "nothing to decide" in stderr


async def kez(directory, *arguments) -> subprocess.CompletedProcess:
    environ = {**os.environ, "KEZD_HOME": str(directory), "NO_COLOR": "1"}
    run = partial(
        trio.run_process,
        [KEZ, *arguments],
        env=environ,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    return await run()


async def test_a_decision_carries_the_key_that_was_seen(tmp_path):
    with trio.fail_after(60):
        async with open_rpc(tmp_path) as rpc:
            rpc.peer.default.contact = ALARMED
            shown = (await kez(tmp_path, "contacts", "@bob")).stdout.decode()
            assert NEW in shown
            assert "zoo" in shown
            assert "abandon" not in shown, "one set of words on a screen"
            done = await kez(tmp_path, "contacts", "--trust", "@bob")
            assert done.returncode == 2
            assert f"--trust @bob@kez.test --key {NEW}" in done.stderr.decode()
            assert (await kez(tmp_path, "contacts", "--trust", "@bob", "--key", NEW)).returncode == 0
            assert (await kez(tmp_path, "contacts", "--keep-old", "@bob")).returncode == 0
            assert rpc.peer.default.decided == [("trust_new", NEW), ("keep_old", None)]
            for command in (["safety", "@bob"], ["qr", "@bob"]):
                done = await kez(tmp_path, *command)
                assert b"alarm stands" in done.stderr


@pytest.mark.parametrize(("answer", "decided"), [("y", [("trust_new", NEW)]), ("", []), ("n", [])])
async def test_a_person_is_asked_about_the_key(tmp_path, answer, decided):
    def person() -> int:
        terminal = TerminalProcess(
            [KEZ, "contacts", "--trust", "@bob"], {**os.environ, "KEZD_HOME": str(tmp_path)}
        )
        screen = terminal.wait_for("[y/N] ")
        assert NEW in screen
        assert "zoo" in screen
        terminal.type(answer)
        return terminal.end()

    with trio.fail_after(60):
        async with open_rpc(tmp_path) as rpc:
            rpc.peer.default.contact = ALARMED
            code = await trio.to_thread.run_sync(person)
            assert (code == 0) is (answer == "y")
            assert rpc.peer.default.decided == decided


# --- codes ---------------------------------------------------------------------------------


def read_code(lines: list[str], *, dark: str) -> list[str]:
    """What a camera reads from half blocks; `dark` is what the drawn half is."""
    rows = []
    for line in lines:
        halves = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
        for half in (0, 1):
            drawn = [halves[character][half] for character in line]
            rows.append([bit if dark == "drawn" else 1 - bit for bit in drawn])
    scale = 4
    width, height = len(rows[0]) * scale, len(rows) * scale
    pixels = b"".join(b"".join((b"\x00" if bit else b"\xff") * scale for bit in row) * scale for row in rows)
    return [code.text for code in zxingcpp.read_barcodes(memoryview(pixels).cast("B", (height, width)))]


def blocks(text: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r", "")
    return [line for line in plain.splitlines() if line and set(line) <= set("█▀▄ ")]


@pytest.mark.parametrize("columns", [80, 48])
def test_the_code_on_a_terminal_is_read_back(pair, columns):
    alice, _ = pair
    terminal = at_a_terminal(alice, "whoami", "--qr", columns=columns, environ={"NO_COLOR": ""})
    assert terminal.end() == 0
    lines = blocks(terminal.seen)
    assert max(map(len, lines)) <= columns
    uri = f"kez:alice@kez.test?key={alice.kez('whoami')['primary']}"
    assert read_code(lines, dark="drawn") == [uri]
    assert "\x1b[38;5;16;48;5;231m" in terminal.seen, "dark on light, whatever the screen is"
    assert uri in terminal.seen.replace("\r\n", "")


def test_without_colours_what_is_light_is_drawn(pair):
    alice, bob = pair
    uri = alice.kez("qr", "@bob")["uri"]
    assert uri == f"kez:bob@kez.test?key={bob.kez('whoami')['primary']}"
    assert read_code(blocks(alice.kez_text("qr", "@bob")), dark="blank") == [uri]


def test_a_terminal_too_narrow_for_it(pair):
    terminal = at_a_terminal(pair[0], "qr", columns=40)
    assert terminal.end() == 2
    assert "--png" in terminal.seen


def test_pictures(pair, tmp_path):
    alice, _ = pair
    png, svg = tmp_path / "code.png", tmp_path / "code.svg"
    assert alice.kez_text("qr", "--png", str(png), "--svg", str(svg)) == ""
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in svg.read_bytes()
    assert alice.kez_fails("qr", "--png", str(png))[0] == 2, "nothing is overwritten"


def test_half_blocks_have_a_quiet_zone():
    lines = half_blocks([[1]], 2, inverted=False)
    assert lines == ["     ", "  ▀  ", "     "]


def test_a_code_is_added_and_its_key_has_to_be_there(tmp_path, pair):
    alice, bob = pair
    uri = alice.kez("qr")["uri"]
    assert bob.kez("add", uri)["handle"] == "alice@kez.test"
    code, stderr = bob.kez_fails("add", uri[:-2] + ("00" if uri[-2:] != "00" else "01"))
    assert code in (2, 8)
    other = uri.partition("?")[0] + "?key=" + bob.kez("whoami")["primary"]
    code, stderr = bob.kez_fails("add", other)
    assert code == 8
    assert "another key" in stderr


def test_segno_is_imported_for_codes_only():
    check = "import sys; from kez_cli.main import commands; commands(); print('kez_cli.code' in sys.modules, 'segno' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"

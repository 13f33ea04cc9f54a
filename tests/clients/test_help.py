"""Help that teaches: the overview on any screen, what was mistyped, and methods of the API."""

import ast
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

import kez_cli
import kezd
from kez_cli.arguments import verbs_of
from kez_cli.main import GROUPS, NAMES, TITLES, build_parser, commands
from kez_cli.overview import closest
from kezd.api.methods import METHODS
from kezd.testing.peer_driver import BESIDE_PYTHON
from kezd.testing.rpc_driver import open_rpc


def kez(*arguments, columns=80, home="/nonexistent"):
    return subprocess.run(
        [str(BESIDE_PYTHON / "kez"), *arguments], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "KEZD_HOME": str(home)},
    )  # fmt: skip


# --- the overview ------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_the_overview_fits_the_screen(columns):
    text = kez("--help", columns=columns).stdout
    assert all(len(line) <= max(columns, 25) for line in text.splitlines())
    for name in NAMES:
        assert re.search(rf"^  {name}\b", text, re.MULTILINE)


def test_each_way_to_the_overview_is_the_same():
    text = kez("--help").stdout
    assert kez("-h").stdout == text
    assert kez("help").stdout == text
    alone = kez()
    assert (alone.stdout, alone.returncode) == (text, 2)


def test_every_group_has_a_title():
    assert set(GROUPS) <= set(TITLES), "a module whose commands would stand under More"
    text = kez("help").stdout
    assert "More\n" not in text
    for title in {TITLES[module] for module in GROUPS}:
        assert f"\n{title}\n" in text


@pytest.mark.parametrize("columns", [40, 80])
def test_help_on_a_command_fits(columns):
    for command in commands():
        text = kez("help", command.name, columns=columns).stdout
        told, _, examples = text.partition("\nexample")
        told = told.partition("\n\n")[2]  # argparse breaks no option of the usage, and no list of choices
        long = [line for line in told.splitlines() if len(line) > columns and "{" not in line]
        assert not long, command.name
        assert "kez " in examples


def test_no_two_commands_share_a_name():
    names = [command.name for command in commands()]
    assert len(names) == len(set(names))
    build_parser()


# --- what was mistyped -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sned", "@bob", "x"], "did you mean: kez send"),
        (["contact"], "kez contacts"),
        (["whoam"], "kez whoami"),
        (["qqqqq"], "kez help lists them"),
        (["send", "@bob", "x", "--wiat", "read"], "did you mean: --wait"),
        (["--jsno", "whoami"], "did you mean: --json"),
        (["whoami", "me"], "kez whoami does not take me"),
        (["help", "exit-code"], "did you mean: kez help exit-codes"),
        (["help", "sned"], "did you mean: kez help send"),
    ],
)
def test_what_may_have_been_meant(arguments, told):
    done = kez(*arguments)
    assert told in done.stderr
    assert done.returncode in (2, 5)
    assert done.stdout == ""


def test_what_was_mistyped_with_json():
    done = kez("sned", "--json")
    error = json.loads(done.stderr)["error"]
    assert (error["slug"], done.returncode) == ("invalid_argument", 2)
    assert "kez send" in error["hint"]


def test_the_closest_names():
    assert closest("contcats", ["contacts", "connect", "send"])[0] == "contacts"
    assert closest("con", ["contacts", "connect", "send"])[:2] == ["contacts", "connect"]
    assert closest("", ["contacts"]) == []


@pytest.mark.parametrize("topic", ["exit-codes", "scripting", "files", "man"])
def test_topics(topic):
    done = kez("help", topic)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 3
    assert all(len(line) <= 110 for line in done.stdout.splitlines())


# --- kez rpc ------------------------------------------------------------------------------


@pytest.fixture
async def home(tmp_path):
    async with open_rpc(tmp_path):
        yield tmp_path


async def asked(home, *arguments):
    import trio

    with trio.fail_after(60):
        return await trio.to_thread.run_sync(lambda: kez("rpc", *arguments, home=home))


async def test_rpc_lists_every_method(home):
    lines = (await asked(home, "--list")).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [method.name for method in METHODS]
    rows = json.loads((await asked(home, "--list", "--json")).stdout)["methods"]
    assert {row["name"]: row["x-scope"] for row in rows} == {m.name: m.scope.value for m in METHODS}


async def test_rpc_tells_what_a_method_takes_and_answers(home):
    text = (await asked(home, "contacts.verify", "--help")).stdout
    assert "contacts.verify  Remember whether the safety words matched." in text
    [method] = [method for method in METHODS if method.name == "contacts.verify"]
    assert f"scope {method.scope.value}" in text
    assert "  safety_words: list of string\n" in text
    assert "  match: boolean, default true\n" in text
    assert re.search(r"^  alarm: Alarm or null, default null$", text, re.MULTILINE)
    assert re.search(r"^    new_primary: ", text, re.MULTILINE), "objects within objects"
    assert "errors: not_a_contact, key_changed" in text
    document = json.loads((await asked(home, "contacts.verify", "--help", "--json")).stdout)
    assert document["name"] == "contacts.verify"


async def test_rpc_tells_about_every_method(home):
    for method in METHODS[:: max(1, len(METHODS) // 8)]:
        done = await asked(home, method.name, "-h")
        assert done.returncode == 0, done.stderr
        assert "result:" in done.stdout


async def test_rpc_calls(home):
    assert (
        json.loads((await asked(home, "contacts.show", '{"contact": "@bob"}')).stdout)["handle"]
        == "bob@kez.test"
    )
    done = await asked(home, "chat.sned", "--help")
    assert "did you mean: chat.send" in done.stderr
    assert done.returncode == 2
    assert (await asked(home, "chat.send")).returncode == 2
    assert (await asked(home, "chat.send", '{"to": "@bob", "text": "unknown"}')).returncode == 5


def test_rpc_without_a_daemon():
    assert kez("rpc", "--list").returncode == 3
    assert kez("rpc", "chat.send", "--help").returncode == 3
    done = kez("rpc", "--help")
    assert done.returncode == 0
    assert "--list" in done.stdout
    assert "kez rpc --list" in kez("rpc").stderr


# --- hints -------------------------------------------------------------------------------


def hints():
    """Every text in our code that is given as `hint=`, with its file."""
    for path in sorted(
        [*Path(kezd.__file__).parent.rglob("*.py"), *Path(kez_cli.__file__).parent.rglob("*.py")]
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                for part in ast.walk(node.value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield path.name, part.value


def test_hints_name_commands_and_options_that_there_are():
    known = verbs_of(build_parser())
    wrong, seen = [], 0
    for name, hint in hints():
        for command, verb, flags in re.findall(r"\bkez ([a-z]+)(?: ([a-z-]+))?((?: --[a-z-]+)*)", hint):
            seen += 1
            if command not in known:
                wrong.append((name, hint))
                continue
            verbs = verbs_of(known[command][1])
            parser = verbs[verb][1] if verb in verbs else known[command][1]
            options = {flag for action in parser._actions for flag in action.option_strings}
            if not set(flags.split()) <= options:
                wrong.append((name, hint))
    assert wrong == []
    assert seen > 20, "there are hints at all"

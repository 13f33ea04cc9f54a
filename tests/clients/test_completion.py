"""Completion as the shells do it: real bash, zsh and fish at a pseudo-terminal, asking a real peer."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from kez_cli.complete import answer
from kez_cli.completion import SHELLS
from kez_cli.main import NAMES, commands
from kezd.testing.peer_driver import BESIDE_PYTHON

HEAVY = {"trio", "asyncio", "msgspec", "nacl", "sqlcipher3", "ssl", "pathlib", "dataclasses", "inspect"}


@pytest.fixture(scope="module")
def alice(pair):
    """Alice, who knows Bob."""
    return pair[0]


def ask(*words, peer=None, environ=None) -> list[str]:
    """Candidates and the kind, as the shells get them; nothing may reach stderr."""
    done = subprocess.run(
        [str(BESIDE_PYTHON / "kez"), "__complete", *words], capture_output=True, text=True, timeout=30, check=True,
        env=(peer._environ if peer else {**os.environ, "KEZD_HOME": "/nonexistent"}) | (environ or {}),
    )  # fmt: skip
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


# --- what is asked ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["words", *[c.name for c in commands()]]),
        (["wh"], ["words", "whoami"]),
        (["--js"], ["words", "--json"]),
        (["--home-dir", ""], ["dirs"]),
        (["--color", ""], ["words", "auto", "always", "never"]),
        (["--json", "whoa"], ["words", "whoami"]),
        (["send", "--wa"], ["words", "--wait"]),
        (["send", "@bob", "hello", "--wait", ""], ["words", "accepted", "delivered", "read"]),
        (["send", "--wait=d"], ["words", "--wait=delivered"]),
        (["send", "@bob", ""], ["words"]),
        (["send", "--timeout", ""], ["words"]),
        (["listen", "--topics", "message", "li"], ["words", "link"]),
        (["restore", "--words-file", ""], ["files"]),
        (["restore", "--words-file=x"], ["files"]),
        (["register", ""], ["words"]),
        (["help", "exit"], ["words", "exit-codes"]),
        (["help", "whoa"], ["words", "whoami"]),
        (["completion", ""], ["words", "bash", "zsh", "fish"]),
        (["nonsense", ""], ["words"]),
        (["send", "--", "--wa"], ["words"]),
    ],
)
def test_what_may_stand_there(words, expected):
    got = ask(*words)
    assert got[: len(expected)] == expected
    assert len(got) == len(expected)


def test_without_a_daemon_it_says_nothing():
    for words in (["send", "@"], ["rpc", ""], ["--profile", ""]):
        assert ask(*words) == ["words"]


def test_handles_and_methods_come_from_the_peer(alice):
    assert ask("send", "@", peer=alice) == ["words", "@bob@kez.test"]
    assert ask("send", "bo", peer=alice) == ["words", "bob@kez.test"]
    assert ask("contacts", "--block", "@b", peer=alice) == ["words", "@bob@kez.test"]
    assert ask("contacts", "--block=@b", peer=alice) == ["words", "--block=@bob@kez.test"]
    primary = alice.kez("contacts", "@bob")["genesis"]
    assert ask("history", "ed25519:", peer=alice) == ["words", primary]
    assert "chat.send" in ask("rpc", "chat.", peer=alice)
    assert ask("send", "@", "--home-dir", "/nonexistent", "@", peer=alice) == ["words"]
    assert ask("--profile", "nobody", "send", "@", peer=alice) == ["words"]


def test_names_that_only_the_peer_knows(alice):
    alice.kez("token", "create", "editor", "--scope", "read")
    alice.kez("profile", "create", "work")
    alice.kez("rpc", "events.subscribe", '{"topics": ["message"], "consumer": "bot"}')
    assert ask("token", "revoke", "", peer=alice) == ["words", "editor"]
    assert ask("profile", "switch", "", peer=alice) == ["words", "default", "work"]
    assert ask("--profile", "w", peer=alice) == ["words", "work"]
    assert ask("--profile", "work", "send", "@", peer=alice) == ["words"]
    assert ask("events", "--consumer", "", peer=alice) == ["words", "bot"]
    assert ask("profile", "", peer=alice)[1:] == ["list", "create", "switch", "remove"]
    assert ask("confirm", "--allow", "", peer=alice) == ["words"]
    assert ask("backup", "create", "", peer=alice) == ["files"]


def test_a_tab_imports_little(alice):
    """What a Tab costs is what it imports, beside one call; how long that takes, `bench/` says."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kez_cli.main", "__complete", "send", "@"],
        capture_output=True, text=True, timeout=60, check=True, env=alice._environ,
    )  # fmt: skip
    assert "@bob" in done.stdout
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not {name.partition(".")[0] for name in imported} & HEAVY
    modules = {name for name in imported if name.startswith("kez_cli.")}
    assert len(modules) < 12, "the command's own module and what it stands on, not all of them"


def test_each_value_that_a_command_takes_is_looked_at():
    for name in NAMES:
        kind, _ = answer([name, "--home-dir", "/nonexistent", "--"])
        assert kind == "words"


def test_the_scripts_are_printed():
    for shell, file in SHELLS.items():
        done = subprocess.run(
            [str(BESIDE_PYTHON / "kez"), "completion", shell],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert "__complete" in done.stdout, file


# --- real shells -----------------------------------------------------------------------

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SETUP = {
    "bash": 'PS1="READY> "; bind "set bell-style none"; bind "set enable-bracketed-paste off"; eval "$(kez completion bash)"',
    "zsh": 'PS1="READY> "; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; eval "$(kez completion zsh)"',
    "fish": 'function fish_prompt; echo "READY> "; end; set -g fish_greeting; kez completion fish | source',
}


class Shell:
    """An interactive shell in a pseudo-terminal, with `kez` on its path."""

    def __init__(self, name, peer, directory):
        self.name = name
        self._asked = 0
        environ = {
            **peer._environ, "TERM": "xterm", "HOME": str(directory), "LC_ALL": "C.UTF-8", "COLUMNS": "200",
            "PATH": f"{BESIDE_PYTHON}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(directory),
            "XDG_DATA_HOME": str(directory),
        }  # fmt: skip
        child, self._fd = pty.fork()
        if child == 0:
            os.chdir(directory)
            os.execvpe(START[name][0], START[name], environ)
        self._pid = child
        self.type(SETUP[name] + "\n")
        self.type("echo set''up\n")
        self.wait_for(r"(?m)^setup")

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait_for(self, pattern: str, patience: float = 30) -> str:
        seen, deadline = "", time.monotonic() + patience
        while time.monotonic() < deadline:
            if select.select([self._fd], [], [], 0.1)[0]:
                seen += os.read(self._fd, 65536).decode(errors="replace")
                if "\x1b[c" in seen or "\x1b[0c" in seen:
                    self.type("\x1b[?1;2c")  # a terminal says what it is when it is asked
            plain = re.sub(r"\x1b(\[[0-9;?<>=]*[a-zA-Z]|\][^\x07]*\x07|[=>(][B0]?)", "", seen).replace(
                "\r", "\n"
            )
            found = re.search(pattern, plain)
            if found:
                return found[0]
        raise AssertionError(f"{self.name}: no {pattern!r} in {seen!r}")

    def completed(self, line: str) -> str:
        """The words of the line after a Tab, as the shell understands them: they are printed, not run."""
        self._asked += 1
        self.type(line + "\t")
        time.sleep(0.7)  # what a Tab will do cannot be awaited: it may be nothing
        self.type(f"\x05 end{self._asked}\x01printf '<%s>' \n")
        return self.wait_for(rf"(<[^<>]*>)+<end{self._asked}>").removesuffix(f"<end{self._asked}>")

    def close(self) -> None:
        os.kill(self._pid, 9)
        os.close(self._fd)
        os.waitpid(self._pid, 0)


@pytest.fixture(scope="module", params=["bash", pytest.param("zsh", marks=pytest.mark.needs("zsh")),
                                        pytest.param("fish", marks=pytest.mark.needs("fish"))])  # fmt: skip
def shell(request, alice, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    (directory / "paper-with-words.txt").touch()
    (directory / "a-directory").mkdir()
    shell = Shell(request.param, alice, directory)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("kez whoa", ["kez", "whoami"]),
        ("kez send @b", ["kez", "send", "@bob@kez.test"]),
        ("kez send bob@k", ["kez", "send", "bob@kez.test"]),
        ("kez send --wait=deli", ["kez", "send", "--wait=delivered"]),
        ("kez send @bob hi --wait del", ["kez", "send", "@bob", "hi", "--wait", "delivered"]),
        ("kez restore --words-file pap", ["kez", "restore", "--words-file", "paper-with-words.txt"]),
        ("kez restore --words-file=pap", ["kez", "restore", "--words-file=paper-with-words.txt"]),
        ("kez --home-dir a-d", ["kez", "--home-dir", "a-directory"]),
        ("kez rpc contacts.verif", ["kez", "rpc", "contacts.verify"]),
    ],
)
def test_a_tab_completes(shell, typed, expected):
    # zsh takes the slash of a directory away when a space follows it
    assert shell.completed(typed).replace("/>", ">") == "".join(f"<{word}>" for word in expected)


def test_shells_are_there_in_ci():
    """The parameters above skip where a shell is missing; bash is everywhere."""
    assert shutil.which("bash")

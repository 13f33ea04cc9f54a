"""The Neovim plug-in in a real headless Neovim, against real peers and a real home."""

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kezd.testing.neovim_driver import Neovim, NeovimError
from kezd.testing.people import Person, World

PLUGIN = Path(__file__).parents[3] / "clients" / "editors" / "nvim"
KIB = 1024
BOB, CAROL, LIST = "kez://@bob", "kez://@carol", "kez://conversations"
COMPOSE = BOB + ":compose"
HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x1b[0m \u202egnp.exe\u202c zero\u200bwidth\rover \u2066x\u2069\nbob@kez.test  09:00"

pytestmark = pytest.mark.needs("nvim")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="kezd-") as text, World.open(Path(text)) as world:
        yield world


@pytest.fixture(scope="module")
def people(world) -> list[Person]:
    """Alice, who has the editor, and Bob and Carol, who write to her."""
    return world.friends("alice", "bob", "carol")


@pytest.fixture
def alice(people) -> Person:
    """Alice with nothing unread."""
    alice = people[0]
    for other in ("@bob", "@carol"):
        while alice.call("chat.read", contact=other)["marked"]:
            pass
    return alice


@pytest.fixture
def bob(people) -> Person:
    return people[1]


@pytest.fixture
def carol(people) -> Person:
    return people[2]


@pytest.fixture
def nvim(alice) -> Iterator[Neovim]:
    """An editor of Alice's that is connected."""
    with Neovim.running(alice.peer.directory, plugin=PLUGIN) as nvim:
        nvim.lua("require('kezd').setup({})")
        wait_connected(nvim)
        yield nvim


def wait_connected(nvim: Neovim) -> None:
    nvim.wait(
        "it is connected and knows who is there",
        lambda: nvim.lua(
            "local a = require('kezd').app() return a.session.state == 'ready' and #a.model.contacts > 0"
        ),
    )


def open_conversation(nvim: Neovim, who: str = "@bob") -> None:
    nvim.command(f"KezOpen {who}")
    nvim.wait(f"the conversation with {who}", lambda: loaded(nvim, f"kez://{who}"))


def loaded(nvim: Neovim, name: str) -> bool:
    lines = nvim.lines(name)
    return bool(lines) and not lines[0].startswith("… fetching")


def gutters(nvim: Neovim, name: str = BOB) -> dict[str, str]:
    """The mark before each of one's own messages, by the first line of its text."""
    code = """
      local b = vim.fn.bufnr('^' .. ... .. '$')
      local found, space = {}, vim.api.nvim_get_namespaces().kezd
      for _, m in ipairs(vim.api.nvim_buf_get_extmarks(b, space, 0, -1, { details = true })) do
        if m[4].virt_text_pos == 'overlay' and m[4].virt_text then
          table.insert(found, { vim.api.nvim_buf_get_lines(b, m[2], m[2] + 1, false)[1], m[4].virt_text[1][1] })
        end
      end
      return found"""
    return {line.strip(): mark for line, mark in nvim.lua(code, name)}


def read_line(nvim: Neovim) -> str | None:
    """The line that says that everything up to it was read."""
    code = """
      local b, space = vim.fn.bufnr('^' .. ... .. '$'), vim.api.nvim_get_namespaces().kezd
      for _, m in ipairs(vim.api.nvim_buf_get_extmarks(b, space, 0, -1, { details = true })) do
        if m[4].virt_text and m[4].virt_text[1][1] == '· read' then
          return vim.api.nvim_buf_get_lines(b, m[2], m[2] + 1, false)[1]
        end
      end"""
    return nvim.lua(code, BOB)


@contextmanager
def cut_after_answer(upstream: Path, path: Path, method: bytes) -> Iterator[None]:
    """A socket in front of the daemon's that loses the first answer to `method`, and the connection with it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    cut = threading.Event()

    def pump(source: socket.socket, target: socket.socket, asked: threading.Event, *, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not answers and method in data:
                    asked.set()
                if answers and asked.is_set() and not cut.is_set() and b'"result"' in data:
                    cut.set()
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                front, back = listener.accept()[0], socket.socket(socket.AF_UNIX)
                back.connect(str(upstream))
                asked = threading.Event()
                for ends, answers in (((front, back), False), ((back, front), True)):
                    pumps.append(
                        threading.Thread(target=pump, args=(*ends, asked), kwargs={"answers": answers})
                    )
                    pumps[-1].start()
                sockets.extend((front, back))

    sockets: list[socket.socket] = []
    pumps: list[threading.Thread] = []
    server = threading.Thread(target=serve)
    server.start()
    try:
        yield
        assert cut.is_set(), "the answer was never lost"
    finally:
        for end in (listener, *sockets):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in (server, *pumps):
            thread.join()
        for end in (listener, *sockets):
            end.close()


def statusline(nvim: Neovim) -> str:
    return str(nvim.lua("return require('kezd').statusline()"))


def texts(person: Person, contact: str) -> list[str]:
    return [message["text"] for message in person.history(contact)]


# --- without a daemon ----------------------------------------------------------------


def test_every_module_compiles(tmp_path):
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        for path in sorted(PLUGIN.rglob("*.lua")):
            assert nvim.lua("local _, err = loadfile(...) return err", str(path)) is None


def test_without_a_daemon_it_says_what_to_do(tmp_path):
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        for command in ("KezOpen @bob", "KezSend @bob hi", "Kez", "1KezShare @bob"):
            before = len(nvim.notices())
            nvim.command(command)
            nvim.wait("an error", lambda before=before: len(nvim.notices()) > before)
            assert (
                nvim.notices()[before]
                == "kez: kezd is not running → systemctl --user start kezd, or run: kezd"
            )
        assert statusline(nvim) == "kez off"
        nvim.command("checkhealth kezd")
        report = "\n".join(nvim.request("nvim_buf_get_lines", 0, 0, -1, False))
        assert "kezd is not running" in report
        assert "systemctl --user start kezd" in report


def test_the_socket_is_found_as_kez_finds_it(tmp_path):
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        code = "local e = ... return require('kezd.paths').socket(function(name) return e[name] end)"
        assert nvim.lua(code, {"KEZD_HOME": "/h", "XDG_RUNTIME_DIR": "/r"}) == "/h/run/kezd.sock"
        assert nvim.lua(code, {"KEZD_HOME": "~/h", "HOME": "/me"}) == "/me/h/run/kezd.sock"
        assert nvim.lua(code, {"KEZD_HOME": "h"}) == f"{tmp_path}/h/run/kezd.sock"
        assert nvim.lua(code, {"XDG_RUNTIME_DIR": "/r"}) == "/r/kezd/kezd.sock"
        assert nvim.lua(code, {"XDG_STATE_HOME": "/s"}) == "/s/kezd/run/kezd.sock"
        assert nvim.lua(code, {"XDG_STATE_HOME": "s", "HOME": "/me"}) == "/me/.local/state/kezd/run/kezd.sock"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not kezd"),
        (b"[1, 2]\n\"x\"\nnull\n", "is not kezd"),
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":1000,"message":"too many \x1b[31m","data":{"slug":"busy"}}}\n',
         "too many"),
        (b"", "closed the connection"),
    ],
)  # fmt: skip
def test_what_is_not_kezd_is_said_to_be_so(tmp_path, said, told):
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as listener, Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        listener.bind(str(tmp_path / "run" / "kezd.sock"))
        listener.listen()
        nvim.command("KezSend @bob hi")
        with listener.accept()[0] as end:
            end.recv(1 << 16)
            end.sendall(said)
        nvim.wait("it is told", lambda: any(told in notice for notice in nvim.notices()))
        assert not any("\x1b" in notice for notice in nvim.notices())
        assert len(nvim.notices()) == 1


def test_settings_that_do_not_exist_are_refused(tmp_path):
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        for options in ("{ notify_texts = false }", "{ notify = 'no' }"):
            with pytest.raises(NeovimError, match="see :help kezd-setup"):
                nvim.lua(f"require('kezd').setup({options})")


def test_help_has_its_tags(tmp_path):
    tags = tmp_path / "copy"
    tags.mkdir()
    (tags / "doc").mkdir()
    (tags / "doc" / "kezd.txt").write_text((PLUGIN / "doc" / "kezd.txt").read_text())
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        nvim.command(f"helptags {tags}/doc")
        defined = {line.split("\t")[0] for line in (tags / "doc" / "tags").read_text().splitlines()}
        commands = nvim.lua("return vim.tbl_keys(vim.api.nvim_get_commands({}))")
        assert {f":{name}" for name in commands if name.startswith("Kez")} <= defined
        assert {"kezd", "kezd-setup", "kezd-statusline"} <= defined


def test_lines_are_put_together_however_they_are_cut(tmp_path):
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        code = """
          local whole, size = ...
          local framing, out = require('kezd.framing').new(100000), {}
          for at = 1, #whole, size do
            vim.list_extend(out, framing:feed(whole:sub(at, at + size - 1)))
          end
          return out"""
        lines = ['{"a":1}', '{"b":"' + "x" * 5000 + '"}', "{}"]
        whole = lines[0] + "\n\n" + lines[1] + "\r\n \n" + lines[2] + "\n{half"
        for size in (1, 2, 7, 4096, len(whole)):
            assert [line.strip() for line in nvim.lua(code, whole, size)] == lines
        assert nvim.lua("return require('kezd.framing').new(10):feed('12345678901') == nil")


# --- with peers ------------------------------------------------------------------------


def test_it_lists_and_opens_conversations(nvim, alice, bob, carol):
    carol.wait_for("@alice", [alice.send("@carol", "for the list")])
    nvim.command("Kez")
    nvim.wait(
        "both are listed", lambda: {"@bob", "@carol"} <= {line.split(" ")[0] for line in nvim.lines(LIST)}
    )
    assert nvim.lines(LIST)[0].startswith("alice@kez.test · online")
    bob.send("@alice", "look, a list")
    nvim.wait(
        "its unread count is there",
        lambda: any("@bob" in line and " 1 " in line for line in nvim.lines(LIST)),
    )
    row = next(at for at, line in enumerate(nvim.lines(LIST), 1) if line.startswith("@bob"))
    nvim.request("nvim_win_set_cursor", 0, [row, 0])
    nvim.keys("<CR>")
    nvim.wait("the conversation", lambda: "    look, a list" in nvim.lines(BOB))


def test_a_conversation_lives(nvim, alice, bob):
    open_conversation(nvim)
    nvim.keys("ihello <C-v>u00fcber<CR>two lines<C-s>")
    nvim.wait("it arrives", lambda: "hello über\ntwo lines" in texts(bob, "@alice"))
    nvim.wait("it is confirmed", lambda: gutters(nvim).get("hello über") == "✓✓")
    assert nvim.lines(COMPOSE) == [""]
    bob.send("@alice", "answer ✓")
    nvim.wait("the answer is shown", lambda: "    answer ✓" in nvim.lines(BOB))
    nvim.wait("it is seen, as somebody looks", lambda: alice.history("@bob")[-1]["state"] == "seen")
    bob.call("chat.read", contact="@alice")
    nvim.wait("that it was read is shown", lambda: read_line(nvim) == "    two lines")
    nvim.wait("nothing is unread", lambda: statusline(nvim) == "")


def test_nothing_is_marked_as_seen_that_nobody_looks_at(nvim, alice, bob):
    open_conversation(nvim)
    nvim.lua("vim.api.nvim_exec_autocmds('FocusLost', {})")
    bob.send("@alice", "while you were out")
    nvim.wait("it is shown", lambda: "    while you were out" in nvim.lines(BOB))
    nvim.wait("it counts as unread", lambda: statusline(nvim) == "kez 1")
    assert alice.history("@bob")[-1]["state"] == "received"
    nvim.lua("vim.api.nvim_exec_autocmds('FocusGained', {})")
    nvim.wait("it is seen", lambda: alice.history("@bob")[-1]["state"] == "seen")
    nvim.wait("nothing is unread", lambda: statusline(nvim) == "")


def test_windows_come_and_go(nvim, bob):
    bob.send("@alice", "still here")
    windows = "return #vim.api.nvim_list_wins()"
    open_conversation(nvim)
    nvim.wait("two windows more", lambda: nvim.lua(windows) == 3)
    nvim.keys("ihalf written<Esc>q")
    nvim.wait("both are closed", lambda: nvim.lua(windows) == 1)
    open_conversation(nvim)
    nvim.wait("two windows more", lambda: nvim.lua(windows) == 3)
    assert nvim.lines(COMPOSE) == ["half written"]
    nvim.command("wincmd k | edit")
    assert "    still here" in nvim.lines(BOB), "filled again after :edit"
    nvim.command("KezOpen @carol")
    nvim.wait("in the same place", lambda: loaded(nvim, CAROL))
    assert nvim.lua(windows) == 3
    nvim.keys("<Esc>")
    nvim.command("wincmd k")
    nvim.keys("-")
    nvim.wait("the list is in its place", lambda: nvim.lua("return vim.api.nvim_buf_get_name(0)") == LIST)
    assert nvim.lua(windows) == 2
    nvim.command(f"bwipeout! {BOB}")
    open_conversation(nvim)
    nvim.wait("made anew", lambda: "    still here" in nvim.lines(BOB))
    with pytest.raises(NeovimError, match="E382"):
        nvim.command("write")


def test_unread_and_notifications_by_events(nvim, bob, carol):
    bob.send("@alice", "psst\nsecond line")
    nvim.wait("the status line counts it", lambda: statusline(nvim) == "kez 1")
    nvim.wait("it is told", lambda: "kez: @bob: psst second line" in nvim.notices())
    nvim.lua("require('kezd').setup({ notify_text = false })")
    carol.send("@alice", "very secret words")
    nvim.wait("it is told without its text", lambda: "kez: new message from @carol" in nvim.notices())
    assert not any("secret" in notice for notice in nvim.notices())
    assert statusline(nvim) == "kez 2"
    assert nvim.lua("return require('kezd').unread()") == 2


def test_sending_and_completion(nvim, bob):
    nvim.command('KezSend @bob a "quoted" | text %')
    nvim.wait("it arrives", lambda: 'a "quoted" | text %' in texts(bob, "@alice"))
    nvim.wait("it is said", lambda: "kez: sent → @bob" in nvim.notices())
    assert nvim.lua("return vim.fn.getcompletion('KezSend @b', 'cmdline')") == ["@bob"]
    assert nvim.lua("return vim.fn.getcompletion('KezOpen c', 'cmdline')") == ["@carol"]
    nvim.command("KezSend @nobody hi")
    nvim.wait("an error with the next step", lambda: any("kez add" in n for n in nvim.notices()))


def test_sharing_lines(nvim, alice, bob):
    source = alice.peer.directory / "src"
    source.mkdir(exist_ok=True)
    (source / "a.py").write_text("def f():\n\treturn '```'\n\nprint(f())\n")
    nvim.command("edit src/a.py")
    nvim.command("1,2KezShare @bob look at this")
    wanted = "look at this\nsrc/a.py:1-2\n````python\ndef f():\n\treturn '```'\n````"
    nvim.wait("the lines arrive", lambda: texts(bob, "@alice")[-1] == wanted)
    nvim.command("4KezShare @bob")
    nvim.wait(
        "the line arrives", lambda: texts(bob, "@alice")[-1] == "src/a.py:4\n```python\nprint(f())\n```"
    )
    open_conversation(nvim)
    shown = nvim.lines(BOB)
    assert "    \treturn '```'" in shown


def test_what_is_too_large_or_no_text_is_refused(nvim, alice, bob):
    before = len(texts(bob, "@alice"))
    (alice.peer.directory / "big.txt").write_text("x" * 33 * KIB)
    (alice.peer.directory / "zero.bin").write_bytes(b"a\0b")
    nvim.command("edit big.txt")
    for command, told in (
        ("%KezShare @bob", "at most 32 KiB"),
        ("KezShareFile @bob", ":'<,'>KezShare"),
        ("KezShareFile @bob zero.bin", "not UTF-8 text"),
        ("KezShareFile @bob missing.txt", "is not a file"),
    ):
        count = len(nvim.notices())
        nvim.command(command)
        nvim.wait(told, lambda count=count: len(nvim.notices()) > count)
        assert told in nvim.notices()[-1]
    assert len(texts(bob, "@alice")) == before


def test_sharing_files(nvim, alice, bob):
    (alice.peer.directory / "notes.md").write_text("# Notes\nall of it\n")
    nvim.command("KezShareFile @bob notes.md")
    wanted = "notes.md\n```\n# Notes\nall of it\n```"
    nvim.wait("the file arrives", lambda: texts(bob, "@alice")[-1] == wanted)
    nvim.command("edit notes.md")
    nvim.command("KezShareFile @bob")
    nvim.wait(
        "the current file arrives",
        lambda: texts(bob, "@alice")[-1] == wanted.replace("```\n#", "```markdown\n#"),
    )
    nvim.keys("ggOchanged<Esc>")
    nvim.command("KezShareFile @bob")
    assert "not written" in nvim.notices()[-1]
    nvim.command("edit! | enew | setlocal buftype=nofile")
    nvim.request("nvim_buf_set_lines", 0, 0, -1, False, ["see notes.md there"])
    nvim.request("nvim_win_set_cursor", 0, [1, 6])
    count = len(texts(bob, "@alice"))
    nvim.command("KezShareFile @bob")
    nvim.wait("the file at point arrives", lambda: len(texts(bob, "@alice")) == count + 1)
    assert texts(bob, "@alice")[-1] == wanted


def test_older_pages_come_when_one_scrolls_up(nvim, alice, bob):
    sent = [bob.send("@alice", f"page {number:03}") for number in range(130)]
    nvim.wait("all are here", lambda: alice.history("@bob")[-1]["id"] == sent[-1])
    open_conversation(nvim)
    assert not any("page 000" in line for line in nvim.lines(BOB))
    window = nvim.lua("return vim.fn.win_findbuf(vim.fn.bufnr('^kez://@bob$'))[1]")
    nvim.request("nvim_set_current_win", window)
    assert nvim.lines(BOB)[0].startswith("▲ older")

    def climb() -> bool:
        nvim.keys("gg")
        nvim.command("doautocmd WinScrolled")
        return any("page 000" in line for line in nvim.lines(BOB))

    nvim.wait("the oldest page", climb)
    shown = [line.strip() for line in nvim.lines(BOB) if line.startswith("    page ")]
    assert shown == [f"page {number:03}" for number in range(130)]


def test_the_daemon_is_killed_and_comes_back(nvim, alice, bob):
    open_conversation(nvim)
    bob.send("@alice", "before the kill")
    nvim.wait("it is shown", lambda: "    before the kill" in nvim.lines(BOB))
    alice.peer.kill()
    alice.hang_up()
    nvim.wait("the status line says so", lambda: statusline(nvim) == "kez off")
    for number in range(20):
        bob.send("@alice", f"missed {number}")
    nvim.keys("iwritten without kezd<C-s>")
    nvim.wait("the text is given back", lambda: nvim.lines(COMPOSE) == ["written without kezd"])
    alice.peer.start()
    nvim.wait("all that was missed is shown", lambda: "    missed 19" in nvim.lines(BOB))
    shown = [line.strip() for line in nvim.lines(BOB)]
    assert [shown.count(f"missed {number}") for number in range(20)] == [1] * 20
    assert shown.count("before the kill") == 1
    nvim.keys("<C-s>")
    nvim.wait("and now it is sent", lambda: texts(bob, "@alice")[-1] == "written without kezd")


def test_what_nobody_answered_is_sent_once(nvim, alice, bob):
    """The daemon stands still with the call in its socket, is killed, and comes back."""
    open_conversation(nvim)
    os.kill(alice.peer.pid, signal.SIGSTOP)
    nvim.keys("ionce and only once<C-s>")
    nvim.wait("it is shown as waiting", lambda: gutters(nvim).get("once and only once") == "…")
    alice.peer.kill()
    alice.hang_up()
    assert "    once and only once" in nvim.lines(BOB)
    alice.peer.start()
    nvim.wait("it arrives", lambda: "once and only once" in texts(bob, "@alice"))
    nvim.wait("it is confirmed", lambda: gutters(nvim).get("once and only once") == "✓✓")
    bob.wait_for("@alice", [m["id"] for m in alice.history("@bob") if m["direction"] == "out"])
    assert texts(bob, "@alice").count("once and only once") == 1
    assert [line.strip() for line in nvim.lines(BOB)].count("once and only once") == 1


def test_an_answer_that_was_lost_is_asked_for_again(alice, bob):
    """The daemon did what it was told, and only the answer is lost."""
    path = alice.peer.directory / "cut.sock"
    with (
        cut_after_answer(alice.peer.socket, path, b"chat.send"),
        Neovim.running(alice.peer.directory, plugin=PLUGIN) as nvim,
    ):
        nvim.lua("require('kezd').setup({ socket = ... })", str(path))
        wait_connected(nvim)
        open_conversation(nvim)
        nvim.keys("istored before the cut<C-s>")
        nvim.wait("it is confirmed", lambda: gutters(nvim).get("stored before the cut") == "✓✓")
        nvim.wait(
            "it was tried again", lambda: nvim.lua("return require('kezd').app().session.attempts") == 2
        )
        nvim.wait("nothing waits", lambda: nvim.lua("return #require('kezd').app().session.outgoing") == 0)
        assert [line.strip() for line in nvim.lines(BOB)].count("stored before the cut") == 1
    bob.wait_for("@alice", [m["id"] for m in alice.history("@bob") if m["direction"] == "out"])
    assert texts(bob, "@alice").count("stored before the cut") == 1


def test_a_log_that_is_another_one_is_read_anew(nvim, alice, bob):
    """`cannot_replay`: the database was restored, or the log no longer goes back that far."""
    open_conversation(nvim)
    alice.peer.stop()
    alice.hang_up()
    nvim.lua("require('kezd').app().session.place = { epoch = 'of another log', seq = 7 }")
    bob.send("@alice", "while the log was replaced")
    alice.peer.start()
    nvim.wait("it is shown", lambda: "    while the log was replaced" in nvim.lines(BOB))
    bob.send("@alice", "and live again")
    nvim.wait("it goes on", lambda: "    and live again" in nvim.lines(BOB))
    shown = [line.strip() for line in nvim.lines(BOB)]
    assert shown.count("while the log was replaced") == shown.count("and live again") == 1


def test_a_locked_vault_says_what_to_do(world):
    erin = world.person("erin", world.homes[0].url, vault="locked")
    with Neovim.running(erin.peer.directory, plugin=PLUGIN) as nvim:
        nvim.command("KezSend @bob hi")
        nvim.wait("there is nobody yet", lambda: any("kez register HANDLE" in n for n in nvim.notices()))
        erin.make_identity()
        erin.register()
        erin.peer.restart()
        erin.hang_up()
        nvim.wait(
            "that it is locked",
            lambda: nvim.lua("return (require('kezd').app().session.err or {}).slug") == "locked",
        )
        count = len(nvim.notices())
        nvim.command("KezSend @bob hi")
        nvim.wait("an error", lambda: len(nvim.notices()) > count)
        assert nvim.notices()[count] == "kez: the vault is locked → kez unlock"
        attempts = nvim.lua("return require('kezd').app().session.attempts")
        erin.call("session.unlock", passphrase=erin.peer.passphrase)
        wait_ready = "return require('kezd').app().session.state == 'ready'"
        nvim.wait("it goes on by itself, on the same connection", lambda: nvim.lua(wait_ready))
        assert nvim.lua("return require('kezd').app().session.attempts") == attempts


def test_alarms_and_failures_say_what_to_do(tmp_path):
    render = """
      local view, now = ..., 1700000000000
      local function message(id, state, cause, at)
        return { id = id, direction = 'out', kind = 'text', text = id, sent_at = now + at, arrived_at = now,
          state = state, cause = cause, position = at }
      end
      local lines = require('kezd.render').lines({
        messages = { message('one', 'read', nil, 1), message('two', 'failed', 'expired', 2),
          message('three', 'queued', 'inbox_full', 3), message('four', 'accepted', nil, 4) },
        pending = { { text = 'five' } }, name = '@bob', contact = view,
      })
      return vim.tbl_map(function(line) return { line.text, line.gutter and line.gutter[1] or '' } end, lines)"""
    contact = {"state": "accepted", "alarm": {"kind": "key_changed", "detail": "new\x1bkey", "since": 1}}
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        lines = {text.strip(): mark for text, mark in nvim.lua(render, contact)}
    marks = {"one": "✓✓", "two": "✗", "three": "…", "four": "✓", "five": "…"}
    assert {text: lines[text] for text in marks} == marks
    assert "not sent: nobody fetched it in time; send it again" in lines
    assert "waits: their inbox is full; it empties when they come back" in lines
    assert r"!! key changed: new\u{1b}key" in lines
    assert "kez contacts --trust @bob   or   kez contacts --keep-old @bob" in lines


def test_hostile_text_is_harmless(nvim, alice, bob):
    open_conversation(nvim)
    nvim.command("tabnew")
    bob.send("@alice", HOSTILE)
    bob.send("@alice", "w" * 32 * KIB)
    bob.send("@alice", "%#ErrorMsg#%{system('id')} " * 10)
    nvim.wait("it is shown", lambda: any(len(line) >= 32 * KIB for line in nvim.lines(BOB)))
    nvim.wait("it is told", lambda: any("@bob" in notice for notice in nvim.notices()))
    everything = "\n".join(nvim.lines(BOB) + [n.replace("\t", " ") for n in nvim.notices()])
    for forbidden in "\x1b\x07\r\u202e\u202c\u200b\u2066\u2069":
        assert forbidden not in everything
    lines = nvim.lines(BOB)
    assert "    bob@kez.test  09:00" in lines, "what looks like a name is indented"
    assert any(r"\u{1b}]0;owned\u{7}\u{1b}[31mred" in line for line in lines)
    assert all(len(notice) <= 80 for notice in nvim.notices())
    assert nvim.lua("return vim.api.nvim_eval_statusline(require('kezd').statusline(), {}).str").startswith(
        "kez "
    )


def test_broken_bytes_are_escaped(tmp_path):
    with Neovim.running(tmp_path, plugin=PLUGIN) as nvim:
        show = "return require('kezd.text').show(...)"
        assert nvim.lua(show, "plain ünï 👩‍💻 ✓") == "plain ünï 👩‍💻 ✓"
        assert nvim.lua("return require('kezd.text').show('a\\xffb\\xc0\\x80\\xed\\xa0\\x80')").startswith(
            r"a\u{ff}b\u{c0}"
        )
        assert nvim.lua(show, "a\nb") == r"a\nb"
        assert nvim.lua("return require('kezd.text').show('a\\r\\n\\tb', true)") == "a\n\tb"
        assert nvim.lua("return require('kezd.text').one_line(('ü'):rep(100), 10)") == "ü" * 9 + "…"
        assert nvim.lua(
            "return { require('kezd.text').is_text('ü'), require('kezd.text').is_text('\\xff') }"
        ) == [True, False]


def test_requests_say_what_to_do(nvim, world):
    nvim.command("Kez")
    dave = world.registered("dave", world.homes[0].url)
    dave.add("@alice")
    dave.send("@alice", "let me in")
    nvim.wait("it is told", lambda: any("wants to write to you" in notice for notice in nvim.notices()))
    nvim.wait(
        "the list says what to do", lambda: any("A accept, B block" in line for line in nvim.lines(LIST))
    )
    nvim.wait("the status line asks", lambda: statusline(nvim).endswith("?"))
    open_conversation(nvim, "@dave")
    nvim.wait("what to do", lambda: any(":KezAccept lets them" in line for line in nvim.lines("kez://@dave")))
    dave.send("@alice", "please")
    nvim.wait("the words can be judged", lambda: "    please" in nvim.lines("kez://@dave"))
    assert not any("let me in" in notice or "please" in notice for notice in nvim.notices())
    nvim.command("KezAccept")
    nvim.wait(
        "nothing is left to decide", lambda: not any("stranger" in line for line in nvim.lines("kez://@dave"))
    )
    nvim.wait("it is no request any more", lambda: not statusline(nvim).endswith("?"))


def test_health_is_reported(nvim):
    nvim.command("KezHealth")
    report = "\n".join(nvim.request("nvim_buf_get_lines", 0, 0, -1, False))
    assert "Neovim 0." in report
    assert "API 1, profile default" in report
    assert "kezd is not running" not in report


def test_an_editor_that_stood_still_catches_up(nvim, alice, bob):
    """Neovim reads nothing for a while, its subscription lags, and nothing is missed or doubled."""
    open_conversation(nvim)
    os.kill(nvim.pid, signal.SIGSTOP)
    try:
        for _ in range(60):
            bob.send("@alice", "x" * 30 * KIB)
        sent = [alice.send("@bob", f"meanwhile {number}") for number in range(500)]
        alice.wait_states(sent[-1:])
    finally:
        os.kill(nvim.pid, signal.SIGCONT)
    nvim.wait("the end is shown", lambda: gutters(nvim).get("meanwhile 499") == "✓✓")
    shown = [line.strip() for line in nvim.lines(BOB) if line.startswith("    meanwhile")]
    assert shown == [f"meanwhile {number}" for number in range(500)]
    session = "local s = require('kezd').app().session return { s.attempts, s.subscription }"
    assert nvim.lua(session) == [1, "s2"], "it lagged, and went on over the same connection"

"""A real headless Neovim as a child process, driven over its own msgpack-RPC.

    with Neovim.running(peer.directory, plugin=...) as nvim:
        nvim.command("KezOpen @bob")
        nvim.lua("return require('kezd').unread()")

Synchronous: one request at a time. No configuration of the person's is read. What the editor
would have told its user (`vim.notify`) is collected in `notices()`.
"""

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

TIMEOUT = 30.0
POLL = 0.02
STOP_TIMEOUT = 10.0
RESPONSE = 1

_COLLECT = """
_G.told = {}
vim.notify = function(text, level) table.insert(_G.told, { text, level or 2 }) end
"""


class NeovimError(Exception):
    """What Neovim answered instead of a result."""


class Neovim:
    """One editor."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._last_id = 0

    @classmethod
    @contextmanager
    def running(
        cls, directory: Path, *, plugin: Path, environ: Mapping[str, str] | None = None, columns: int = 80
    ) -> Iterator["Neovim"]:
        """Start with the plug-in loaded, quit at the end of the block.

        Args:
            directory: working directory, and the KEZD_HOME of the daemon to talk to.
            plugin: the plug-in's root.
            environ: more variables.
            columns: cells of the screen, which has 24 lines.
        """
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("KEZD_", "XDG_", "NVIM"))}
        environment |= {"KEZD_HOME": str(directory), "HOME": str(directory), **(environ or {})}
        process = subprocess.Popen(
            ["nvim", "--headless", "--clean", "--embed"], cwd=directory, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self = cls(process)
        try:
            self.lua(_COLLECT)
            self.command(f"set columns={columns} lines=24")
            self.command(f"set runtimepath^={plugin}")
            self.command("runtime plugin/kezd.lua")
            yield self
            self.lua("vim.schedule(function() vim.cmd('qall!') end)")
            process.wait(STOP_TIMEOUT)
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def request(self, method: str, *arguments: Any) -> Any:
        """Call a function of Neovim's API.

        Raises:
            NeovimError: it answered with an error, ended, or did not answer in time.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        self._last_id += 1
        stdin.write(msgspec.msgpack.encode([0, self._last_id, method, list(arguments)]))
        stdin.flush()
        buffer, deadline = bytearray(), time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if not select.select([stdout], [], [], 0.1)[0]:
                continue
            chunk = os.read(stdout.fileno(), 1 << 20)
            if not chunk:
                raise NeovimError("Neovim has ended")
            buffer += chunk
            try:
                kind, number, error, result = msgspec.msgpack.decode(buffer)
            except msgspec.DecodeError:
                continue  # a part of the answer; there is one answer at a time and nothing else
            assert (kind, number) == (RESPONSE, self._last_id)
            if error is not None:
                raise NeovimError(str(error[1]))
            return result
        raise NeovimError(f"no answer to {method} in {TIMEOUT:g} s")

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua; what it returns."""
        return self.request("nvim_exec_lua", code, list(arguments))

    def command(self, line: str) -> None:
        """Run a command of the command line."""
        self.request("nvim_command", line)

    def keys(self, keys: str) -> None:
        """Type, with special keys written as `<C-s>`, and wait until all of it is done."""
        self.lua(
            "vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(..., true, false, true), 'xt', false)", keys
        )

    def lines(self, name: str) -> list[str]:
        """Lines of the buffer of that name; none while there is none."""
        return list(
            self.lua(
                "for _, b in ipairs(vim.api.nvim_list_bufs()) do if vim.api.nvim_buf_get_name(b) == ... then"
                " return vim.api.nvim_buf_get_lines(b, 0, -1, false) end end return {}",
                name,
            )
        )

    def notices(self) -> list[str]:
        """What the person was told so far."""
        return [text for text, _ in self.lua("return _G.told")]

    def wait(self, what: str, condition: Callable[[], bool], patience: float = TIMEOUT) -> None:
        """Wait until `condition` holds.

        Raises:
            NeovimError: it does not in time.
        """
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                raise NeovimError(f"waited {patience:g} s in vain: {what}; told: {self.notices()[-5:]}")
            time.sleep(POLL)

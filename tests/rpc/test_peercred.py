"""Only our own uid is let in: checked with a real process of another uid where we may make one."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import trio

from kezd.rpc.handlers.table import HANDLERS
from kezd.rpc.peercred import Caller, is_welcome, read_caller
from kezd.rpc.server import open_server
from kezd.runtime.clock import SystemClock
from kezd.runtime.settings import RpcSettings
from kezd.services.access import Confirmations, Tokens
from kezd.testing.memory_peer import MemoryPeer

NOBODY = 65534
DIAL = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])
try:
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"daemon.version"}\\n')
except OSError:
    pass
data = b""
try:
    while chunk := s.recv(65536):
        data += chunk
except ConnectionResetError:
    pass
sys.stdout.write(data.decode())
"""


def test_the_kernel_names_us():
    a, b = socket.socketpair(socket.AF_UNIX)
    with a, b:
        assert read_caller(a) == Caller(os.getpid(), os.getuid(), os.getgid())
        assert is_welcome(read_caller(a))


def test_nobody_else_is_welcome():
    assert not is_welcome(Caller(1, os.geteuid() + 1, 0))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a process of another uid")
async def test_another_users_process_is_turned_away():
    with tempfile.TemporaryDirectory() as directory, trio.fail_after(20):
        Path(directory).chmod(0o755)
        path = Path(directory) / "s"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            path.chmod(0o777)
            listener.listen(5)
            data = Path(directory) / "data"
            data.mkdir(mode=0o700)
            clock = SystemClock()
            async with (
                Tokens.open(data, clock) as tokens,
                open_server(
                    listener, MemoryPeer(tokens, Confirmations(clock, 60)), HANDLERS, RpcSettings()
                ) as server,
            ):
                done = await trio.to_thread.run_sync(
                    lambda: subprocess.run(
                        [sys.executable, "-I", "-c", DIAL, str(path)],
                        capture_output=True,
                        text=True,
                        check=False,
                    )
                )
                assert server.connections == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["error"]["data"]["slug"] for a in answers] == ["forbidden"], done.stderr

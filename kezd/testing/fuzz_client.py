"""`python -m kezd.testing.fuzz_client SOCKET SEED RATE`: talks nonsense to a daemon until it is killed.

Prints a dot after each conversation. Descriptors go along with some pieces, and many
conversations end in the middle of something.
"""

import os
import select
import socket
import sys
import time
from pathlib import Path

from kezd.testing.fuzz import Fuzzer

MESSAGES = 40
"""Of one conversation."""
HELLO = b'{"jsonrpc":"2.0","id":0,"method":"session.initialize","params":{"client":{"name":"fuzz"}}}\n'


def attack(path: str, seed: int, rate: float) -> None:
    """One conversation after another, at most `rate` messages a second."""
    fuzzer = Fuzzer(seed)
    while True:
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            try:
                sock.connect(path)
                _converse(sock, fuzzer)
            except OSError:
                pass  # it was turned out: as it should be
        os.write(sys.stdout.fileno(), b".")
        time.sleep(max(0.0, MESSAGES / rate - (time.monotonic() - began)))


def _converse(sock: socket.socket, fuzzer: Fuzzer) -> None:
    if fuzzer.random.random() < 0.7:
        sock.sendall(HELLO)
    for piece in fuzzer.conversation(MESSAGES):
        if fuzzer.random.random() < 0.02:
            with Path(os.devnull).open("rb") as file:
                socket.send_fds(sock, [piece], [file.fileno()] * fuzzer.random.choice((1, 3, 16, 17)))
        else:
            sock.sendall(piece)
        if fuzzer.random.random() < 0.5:
            _read_what_is_there(sock)
    if fuzzer.random.random() < 0.5:
        sock.shutdown(socket.SHUT_WR)
        _read_what_is_there(sock)


def _read_what_is_there(sock: socket.socket) -> None:
    while select.select([sock], [], [], 0)[0] and sock.recv(1 << 20):
        continue


if __name__ == "__main__":
    attack(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))

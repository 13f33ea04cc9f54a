"""Load on a JSON-RPC socket: so many clients, each with one call at a time.

`python -m bench.programs.rpc_load SOCKET METHOD CLIENTS SECONDS [PARAMS]`, PARAMS as JSON. Says `{calls, seconds, p50, p99}`,
latencies in seconds. Plain sockets and ready-made requests, so that the client costs little.
"""

import selectors
import socket
import sys
import time

from bench.figures import percentile
from bench.programs.speech import say

WARM_UP = 50
HELLO = (
    b'{"jsonrpc":"2.0","id":0,"method":"session.initialize","params":'
    b'{"client":{"name":"bench"},"api":{"min":1,"max":1}}}\n'
)


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.sendall(HELLO)
    answer = receive(sock)
    if b'"error"' in answer:
        raise RuntimeError(answer)
    return sock


def receive(sock: socket.socket) -> bytes:
    """One answer (a client never waits for two)."""
    data = sock.recv(65536)
    while not data.endswith(b"\n"):
        more = sock.recv(65536)
        if not more:
            raise RuntimeError(f"the server closed: {data!r}")
        data += more
    return data


def one(sock: socket.socket, request: bytes, seconds: float) -> tuple[list[float], float]:
    for _ in range(WARM_UP):
        sock.sendall(request)
        receive(sock)
    took: list[float] = []
    begun = now = time.perf_counter()
    while now - begun < seconds:
        sock.sendall(request)
        receive(sock)
        then, now = now, time.perf_counter()
        took.append(now - then)
    return took, now - begun


def many(socks: list[socket.socket], request: bytes, seconds: float) -> tuple[list[float], float]:
    selector = selectors.EpollSelector()
    begun = time.perf_counter()
    sent = {sock.fileno(): begun for sock in socks}
    for sock in socks:
        selector.register(sock, selectors.EVENT_READ, sock)
        sock.sendall(request)
    took: list[float] = []
    while (now := time.perf_counter()) - begun < seconds:
        for key, _ in selector.select(1):
            receive(key.data)
            now = time.perf_counter()
            took.append(now - sent[key.fd])
            sent[key.fd] = now
            key.data.sendall(request)
    for sock in socks:
        receive(sock)
    return took, now - begun


def main(path: str, method: str, clients: int, seconds: float, params: str = "{}") -> None:
    request = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n' % (method.encode(), params.encode())
    socks = [connect(path) for _ in range(clients)]
    if clients == 1:
        took, whole = one(socks[0], request, seconds)
    else:
        took, whole = many(socks, request, seconds)
    say(
        {
            "calls": len(took),
            "seconds": whole,
            "p50": percentile(took, 0.5),
            "p99": percentile(took, 0.99),
        }
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), *sys.argv[5:])

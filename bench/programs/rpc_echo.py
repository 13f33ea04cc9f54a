"""The RPC's baseline: JSON lines on a Unix socket with Trio and msgspec, and nothing else.

`python -m bench.programs.rpc_echo SOCKET`. Answers every call with a constant of the shape of
`daemon.version`.
"""

import sys
from functools import partial

import msgspec
import trio

from bench.programs.speech import say


class Request(msgspec.Struct):
    method: str
    params: dict[str, object]
    id: int
    jsonrpc: str = "2.0"


RESULT = {"version": "0.1.0", "api": 1, "python": "3.11.7"}
decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.Encoder().encode


async def serve(stream: trio.SocketStream) -> None:
    rest = b""
    async with stream:
        while data := await stream.receive_some(65536):
            *lines, rest = (rest + data).split(b"\n")
            answers = [encode({"jsonrpc": "2.0", "id": decode(line).id, "result": RESULT}) for line in lines]
            await stream.send_all(b"\n".join([*answers, b""]))


async def main(path: str) -> None:
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(path)
    listener.listen(100)
    say({"ready": True})
    await trio.serve_listeners(serve, [trio.SocketListener(listener)])


if __name__ == "__main__":
    trio.run(partial(main, sys.argv[1]))

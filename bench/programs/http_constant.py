"""The lookup's baseline: Starlette on uvicorn that answers a constant.

`python -m bench.programs.http_constant BYTES` answers that many bytes to `GET /v1/u/{handle}`, to reads
of a sigchain and to appends, on a port of its own choice and says `{port}`. Same loop and same settings as the home server's.
"""
# ruff: noqa: TID251 - what is measured beside is asyncio, in a process of its own

import asyncio
import socket
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.programs.speech import say


async def main(size: int) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'

    async def constant(_request: Request) -> Response:
        return Response(body, media_type="application/json")

    async def taken(request: Request) -> Response:
        await request.body()
        return Response(body, status_code=201, media_type="application/json")

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    app = Starlette(
        routes=[
            Route("/v1/u/{handle}", constant),
            Route("/v1/sigchains/{alg}/{key}", constant),
            Route("/v1/sigchains/{alg}/{key}/events", taken, methods=["POST"]),
        ]
    )
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.001)
    say({"port": bound.getsockname()[1]})
    await serving


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))

"""Many identities that connect to one home's nats-server and stay.

`python -m bench.programs.nats_crowd MODE NATS_URL FILE CONCURRENCY`. FILE has one seed (hex) a line.
MODE `callout`: each logs in with its own key, through the auth callout, then gets its session
and leaves one pull waiting, as a peer does. MODE `static`: the same client as often, but with
home's own key, which the server knows by itself. Says `{ready}`, waits to be told, connects, says
`{seconds}`, gets the sessions, says `{seconds}`, and holds everything until stdin ends.
"""
# ruff: noqa: TID251 - a load generator, in a process of its own

import asyncio
import base64
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import uvloop
from nats.aio.client import Client

from bench.programs.broker import connect
from bench.programs.speech import heard, say
from kezd.home.nats_keys import load_keys
from kezd.home.nats_link import NkeyClient
from kezd.home.policy import session_subject
from kezd.kez.keys import Seed
from kezd.kez.signing import Signer

PULL_SECONDS = 600


async def log_in(url: str, signer: Signer, number: int) -> Client:
    client = NkeyClient(signer.public.nkey)
    await client.connect(
        servers=[url],
        name=f"{number:032x}",
        signature_cb=lambda nonce: base64.b64encode(signer.nats_nonce(nonce)),
        inbox_prefix=f"_INBOX_{signer.public.hex}",
        allow_reconnect=False,
        connect_timeout=30,
        ping_interval=600,
    )
    return client


async def begin(client: Client, signer: Signer, number: int) -> None:
    """The session, and a pull that waits."""
    inbox = f"_INBOX_{signer.public.hex}"
    asked = msgspec.json.encode({"installation_id": f"{number:032x}", "takeover": False, "v": 1})
    answer = await client.request(session_subject(signer.public), asked, timeout=30)
    consumer = msgspec.json.decode(answer.data)["consumer"]
    await client.subscribe(f"{inbox}.pull")
    pull = msgspec.json.encode({"batch": 256, "expires": PULL_SECONDS * 10**9})
    await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.KEZ_INBOX.{consumer}", pull, reply=f"{inbox}.pull")
    await client.flush()


async def all_of(jobs: Sequence[Callable[[], Awaitable[None]]], concurrency: int) -> float:
    """Seconds that they took, so many at once."""
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            await job()

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return time.perf_counter() - begun


async def main(mode: str, url: str, path: Path, concurrency: int) -> None:
    signers = [Signer(Seed(bytes.fromhex(line))) for line in path.read_text().split()]
    static = load_keys(path.parent / "keys").home if mode == "static" else None
    clients: dict[int, Client] = {}

    async def one(number: int) -> None:
        if static is not None:
            clients[number] = await connect(url, static)
        else:
            clients[number] = await log_in(url, signers[number], number)

    async def session(number: int) -> None:
        if static is not None:
            await clients[number].subscribe(f"bench.{number}")
            await clients[number].flush()
        else:
            await begin(clients[number], signers[number], number)

    loop = asyncio.get_running_loop()
    say({"ready": True})
    await loop.run_in_executor(None, heard)
    numbers = range(len(signers))
    say({"seconds": await all_of([partial(one, n) for n in numbers], concurrency)})
    say({"seconds": await all_of([partial(session, n) for n in numbers], concurrency)})
    while await loop.run_in_executor(None, heard) is not None:
        pass
    await asyncio.gather(*(client.close() for client in clients.values()))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))

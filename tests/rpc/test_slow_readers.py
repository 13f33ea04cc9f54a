"""A reader that stops slows nobody and costs a bounded amount; afterwards it has lost nothing."""

import time
from statistics import median

import trio

from kezd.testing.rpc_driver import open_rpc

READERS = 9
EVENTS = 3000
QUEUE = 256


class Reader:
    """Reads events and notes when each arrived."""

    def __init__(self, client) -> None:
        self.client = client
        self.seqs: list[int] = []
        self.arrived: dict[int, float] = {}

    async def read(self, last: int) -> None:
        while not self.seqs or self.seqs[-1] < last:
            message = await self.client.receive()
            assert message["method"] == "event", message
            seq = message["params"]["seq"]
            self.seqs.append(seq)
            self.arrived[seq] = time.perf_counter()


async def write(log, count):
    """Log events a few at a time, as a busy peer does; when each was logged, and the longest queue seen."""
    logged, longest = {}, 0
    for n in range(count):
        log.append("message", {"n": n, "text": "x" * 500})
        logged[log.last] = time.perf_counter()
        longest = max(longest, *log.bus.waiting)
        if n % 4 == 3:
            await trio.sleep(0.001)
    return logged, longest


def spread(readers, logged):
    """Median and 95th percentile of the time from logging to arrival."""
    waits = sorted(reader.arrived[seq] - at for reader in readers for seq, at in logged.items())
    return median(waits), waits[len(waits) * 95 // 100]


async def test_one_of_ten_stops_reading(tmp_path):
    with trio.fail_after(120):
        async with open_rpc(tmp_path, queue_limit=QUEUE) as rpc, trio.open_nursery() as connections:
            readers, stopped = [], None

            async def run(round_end):
                async with trio.open_nursery() as nursery:
                    for reader in readers:
                        nursery.start_soon(reader.read, round_end)
                    if stopped_reads:
                        nursery.start_soon(stopped.read, round_end)
                    return await write(rpc.peer.log, EVENTS)

            async def connect(*, task_status=trio.TASK_STATUS_IGNORED):
                async with rpc.connect() as client:
                    await client.call("events.subscribe", topics=["message"])
                    task_status.started(Reader(client))
                    await trio.sleep_forever()

            for _ in range(READERS):
                readers.append(await connections.start(connect))
            stopped = await connections.start(connect)
            assert len(rpc.peer.log.bus.waiting) == READERS + 1

            stopped_reads = True
            before, _ = await run(EVENTS)
            stopped_reads = False
            during, longest = await run(2 * EVENTS)

            for reader in readers:
                assert reader.seqs == list(range(1, 2 * EVENTS + 1)), "complete and in order"
            assert longest <= QUEUE, "memory is bounded"
            assert not any(rpc.peer.log.bus.waiting), "the stopped one holds no queue any more"
            typical, slow = spread(readers, before)
            typical_beside, slow_beside = spread(readers, during)
            assert typical_beside < 2 * typical + 0.002
            assert slow_beside < 3 * slow + 0.005

            client = stopped.client
            while (message := await client.receive())["method"] == "event":
                stopped.seqs.append(message["params"]["seq"])
            assert message["method"] == "events.lagged"
            last = message["params"]["last_seq"]
            assert last == stopped.seqs[-1]
            assert last < 2 * EVENTS, "it did lag"
            await client.begin("events.subscribe", topics=["message"], since={"epoch": "e1", "seq": last})
            assert "result" in await client.receive()
            await stopped.read(2 * EVENTS)
            assert stopped.seqs == list(range(1, 2 * EVENTS + 1))
            connections.cancel_scope.cancel()


async def test_a_stopped_reader_holds_little_memory(tmp_path):
    """What waits for it is at most its queue, the batch it was given, and one outbox."""
    with trio.fail_after(60):
        async with open_rpc(tmp_path, queue_limit=QUEUE) as rpc, rpc.connect() as client:
            await client.call("events.subscribe", topics=["message"])
            (connection,) = rpc.server._connections
            most = 0
            for n in range(5000):
                rpc.peer.log.append("message", {"n": n, "text": "x" * 4000})
                await trio.lowlevel.checkpoint()
                most = max(most, connection._outbox._size)
            assert most < 600 * 1024
            assert rpc.peer.log.bus.waiting == [0]

"""A real nats-server with just enough of a home: one account, a stream, a session answer.

For tests of the peer's transport alone: terms (credential's life, tags, whether sending is
allowed, limits) are the test's to choose. Not a home: no callout, no accounts, no registry;
what depends on those is tested against `kezd.testing.home_driver`.
"""

import asyncio  # noqa: TID251 - nats-py, on the other side of the bridge
import base64
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from kezd.kez.keys import Seed
from kezd.kez.signing import Signer
from kezd.testing.nats_driver import NatsServer

DAY = 86400
READY_TIMEOUT = 10.0
HOME_NUMBER = 0xFFFF
"""Of the home's own test key."""


def make_signer(number: int) -> Signer:
    """An identity for tests, the same each time."""
    return Signer(Seed(number.to_bytes(32, "big")))


@dataclass
class Terms:
    """What the session answer says; may be changed while it runs."""

    jwt_expires_in: float = 3600.0
    allowed: bool = True
    tag: str = "00112233445566aa"
    consumer_options: dict[str, Any] = field(default_factory=dict)
    holder: dict[str, tuple[int, str]] = field(default_factory=dict)
    """hex → (generation, installation id)"""
    sessions: int = 0


class _HomeClient(Client):
    """The home's own connection, logged in with its nkey."""

    def __init__(self, signer: Signer) -> None:
        super().__init__()
        self._public_nkey = signer.public.nkey


class SmallHome:
    """The running thing; `start` is the way to one."""

    def __init__(self, server: NatsServer, stream: dict[str, Any]) -> None:
        self._server = server
        self._home = make_signer(HOME_NUMBER)
        self._stream = stream
        self.terms = Terms()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    @contextmanager
    def start(
        cls,
        directory: Path,
        users: Sequence[Signer],
        *,
        stream: dict[str, Any] | None = None,
        extra_config: str = "",
    ) -> "Iterator[SmallHome]":
        """Run it for the length of the block; `users` may log in."""
        nkeys = "\n".join(f"{{ nkey: {s.public.nkey} }}" for s in (make_signer(HOME_NUMBER), *users))
        config = (
            f'max_payload: 256KB\njetstream {{ store_dir: "{directory}/js", max_mem: 64M, max_file: 1G }}\n'
            f"authorization {{ timeout: 2, users: [ {nkeys} ] }}\n{extra_config}\n"
        )
        with NatsServer.start(directory, config) as server:
            self = cls(server, stream or {})
            try:
                self.start_responder()
                yield self
            finally:
                self.stop_responder()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._server.url

    def start_responder(self) -> None:
        """Answer session requests; returns when it does."""
        self._stop.clear()
        self._ready.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._respond()), name="small-home")
        self._thread.start()
        if not self._ready.wait(READY_TIMEOUT):
            raise TimeoutError(self._server.log_path.read_text())

    def kill(self) -> None:
        """SIGKILL nats-server."""
        self._server.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP nats-server for the length of the block: connected, and deaf."""
        os.kill(self._server.pid, signal.SIGSTOP)
        stat = Path(f"/proc/{self._server.pid}/stat")
        while stat.read_text().rsplit(")", 1)[1].split()[0] != "T":
            time.sleep(0.001)  # a signal takes effect when it is delivered
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):  # killed meanwhile
                os.kill(self._server.pid, signal.SIGCONT)

    def restart(self) -> None:
        """SIGKILL and start again on the same port and store."""
        self.stop_responder()
        self._server.kill()
        self._server.restart()
        self.start_responder()

    def stop_responder(self) -> None:
        """Nobody answers session requests any more; the server runs on."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def stored(self) -> int:
        """Messages in the stream, as the server counts them."""
        return int(asyncio.run(self._call("STREAM.INFO.KEZ_INBOX"))["state"]["messages"])

    def delete_consumer(self, me: str) -> None:
        """The identity's consumer disappears, as after an operator's mistake."""
        generation, _ = self.terms.holder[me]
        asyncio.run(self._call(f"CONSUMER.DELETE.KEZ_INBOX.{me}_0_{generation}"))

    async def _connect(self) -> Client:
        home = self._home
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            client = _HomeClient(home)
            try:
                await client.connect(
                    self.url,
                    signature_cb=lambda nonce: base64.b64encode(home.nats_nonce(nonce)),
                    allow_reconnect=False,
                    error_cb=_raise,
                )
            except OSError:
                await client.close()
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.02)
            else:
                return client

    async def _api(self, client: Client, call: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await client.request("$JS.API." + call, json.dumps(body).encode(), timeout=5)
        decoded: dict[str, Any] = json.loads(answer.data)
        if "error" in decoded:
            raise RuntimeError(decoded["error"])
        return decoded

    async def _call(self, call: str) -> dict[str, Any]:
        client = await self._connect()
        try:
            return await self._api(client, call, {})
        finally:
            await client.close()

    async def _respond(self) -> None:
        client = await self._connect()
        stream = {
            "name": "KEZ_INBOX",
            "subjects": ["kez.inbox.*.*.*"],
            "retention": "workqueue",
            "storage": "file",
            "discard": "new",
            "discard_new_per_subject": True,
            "max_msgs_per_subject": 1000,
            "max_msg_size": 193 * 1024,
            "num_replicas": 1,
            "duplicate_window": 120 * 10**9,
            **self._stream,
        }

        async def on_session(msg: Msg) -> None:
            await msg.respond(json.dumps(await self._session(client, msg)).encode())

        try:
            await self._api(client, "STREAM.CREATE.KEZ_INBOX", stream)
            await client.subscribe("kez.rpc.*.session", cb=on_session)
            await client.flush()
            await client.flush()
            self._ready.set()
            while not self._stop.is_set() and client.is_connected:  # noqa: ASYNC110 - a thread's flag
                await asyncio.sleep(0.02)
        finally:
            await client.close()

    async def _session(self, client: Client, msg: Msg) -> dict[str, Any]:
        me = msg.subject.split(".")[2]
        request = json.loads(msg.data)
        self.terms.sessions += 1
        now = time.time()  # noqa: TID251 - the home's clock
        common = {
            "v": 1,
            "tags": [{"tag": self.terms.tag, "from": now - DAY, "until": now + DAY}],
            "now": now,
            "jwt_expires_in": self.terms.jwt_expires_in,
            "sending": {"allowed": self.terms.allowed},
        }
        generation, installation = self.terms.holder.get(me, (0, ""))
        if installation != request["installation_id"]:
            if generation and not request["takeover"]:
                return {"error": "superseded", "message": "another installation is current", "hint": ""}
            if generation:
                await self._api(client, f"CONSUMER.DELETE.KEZ_INBOX.{me}_0_{generation}", {})
            generation += 1
            self.terms.holder[me] = (generation, request["installation_id"])
        consumer = f"{me}_0_{generation}"
        await self._api(
            client,
            f"CONSUMER.DURABLE.CREATE.KEZ_INBOX.{consumer}",
            {
                "stream_name": "KEZ_INBOX",
                "config": {
                    "durable_name": consumer,
                    "filter_subject": f"kez.inbox.{me}.0.*",
                    "ack_policy": "explicit",
                    "ack_wait": 10 * 10**9,
                    "max_ack_pending": 1024,
                    "max_waiting": 8,
                    **self.terms.consumer_options,
                },
            },
        )
        return common | {
            "kind": "identity",
            "generation": generation,
            "consumer": consumer,
            "inbox": f"kez.inbox.{me}",
            "device": "0",
        }


async def _raise(error: Exception) -> None:
    if isinstance(error, OSError):
        raise error

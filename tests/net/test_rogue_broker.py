"""Brokers that lie: what the identity key is (not) shown, and that the peer stays well."""

import base64
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kezd.runtime.transport import Destination, LinkState, TransportUnavailableError
from kezd.testing.small_home import make_signer

ALICE, BOB = make_signer(1), make_signer(2)
NONCE = "AbCdEfGhIjK-_12"
NOT_LOOPBACK_TO_US = "127.1"
"""An address that resolves to this machine but is not spelt as one, so that TLS is required."""


@dataclass
class Rogue:
    """Sends an INFO of the test's choice, then keeps what the client says."""

    info: dict[str, object] | bytes
    after_connect: bytes = b"PONG\r\n"
    tls: ssl.SSLContext | None = None
    lines: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    second_connection: trio.Event = field(default_factory=trio.Event)

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        if self.connections == 2:
            self.second_connection.set()
        line = (
            self.info if isinstance(self.info, bytes) else b"INFO " + json.dumps(self.info).encode() + b"\r\n"
        )
        talk: trio.SocketStream | trio.SSLStream[trio.SocketStream] = stream
        try:
            await stream.send_all(line)
            if self.tls is not None:
                talk = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
            buffer = b""
            while data := await talk.receive_some(65536):
                buffer += data
                *lines, buffer = buffer.split(b"\r\n")
                for got in lines:
                    self.lines.append(got)
                    if got == b"PING":
                        await talk.send_all(self.after_connect)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    @property
    def connects(self) -> list[dict[str, object]]:
        return [json.loads(line[8:]) for line in self.lines if line.startswith(b"CONNECT ")]


@asynccontextmanager
async def running(rogue: Rogue) -> AsyncIterator[Rogue]:
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, rogue.serve, 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        rogue.port = listener.socket.getsockname()[1]
        yield rogue
        nursery.cancel_scope.cancel()


def info(**more: object) -> dict[str, object]:
    return {
        "server_id": "NROGUE", "version": "2.15.1", "proto": 1, "headers": True, "max_payload": 262144,
        "auth_required": True, "nonce": NONCE, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    "nonce",
    ['{"sigchain":"add-device"}', NONCE + "\n", NONCE[:-1], "", 123456789012345, None, ["A" * 15], "Ä" * 15],
)
async def test_the_key_signs_nothing_but_a_nonce(nonce: object, open_peer) -> None:
    with trio.fail_after(10):
        async with running(Rogue(info(nonce=nonce))) as rogue:
            async with open_peer(
                f"nats://127.0.0.1:{rogue.port}", ALICE, wait=LinkState.OFFLINE, attempt_timeout=0.5
            ) as alice:
                assert alice.status().last_error
            assert rogue.connects == []
            assert rogue.connections >= 1


async def test_a_proper_nonce_is_signed_and_the_addresses_offered_with_it_are_not_used(open_peer) -> None:
    with trio.fail_after(20):
        async with running(Rogue(info())) as other, running(Rogue(info())) as rogue:
            offered = [f"127.0.0.1:{other.port}", f"localhost:{other.port}"]
            rogue.info = info(connect_urls=offered, nonce=NONCE)
            # a second INFO, as a cluster sends it, offers them again; then the session is not answered
            again = b"INFO " + json.dumps(rogue.info).encode() + b"\r\n"
            rogue.after_connect = b"PONG\r\n" + again
            async with open_peer(
                f"nats://127.0.0.1:{rogue.port}", ALICE, wait=LinkState.OFFLINE, attempt_timeout=0.5
            ):
                await rogue.second_connection.wait()
            assert other.connections == 0
            connect = rogue.connects[0]
            assert connect["nkey"] == ALICE.public.nkey
            ALICE.public.verify(NONCE.encode(), base64.b64decode(str(connect["sig"])))
            assert connect["name"] == "a" * 32


async def test_without_tls_nothing_is_signed(open_peer) -> None:
    with trio.fail_after(10):
        async with running(Rogue(info())) as rogue:
            for scheme in ("nats", "tls"):
                url = f"{scheme}://{NOT_LOOPBACK_TO_US}:{rogue.port}"
                async with open_peer(url, ALICE, wait=LinkState.OFFLINE, attempt_timeout=0.5) as alice:
                    assert "no TLS" in (alice.status().last_error or "")
            assert rogue.connects == []
            assert rogue.connections >= 2


async def test_a_certificate_that_does_not_verify_gets_no_signature(open_peer) -> None:
    authority = Authority()
    with trio.fail_after(15):
        async with running(Rogue(info(tls_required=True), tls=authority.server(NOT_LOOPBACK_TO_US))) as rogue:
            url = f"tls://{NOT_LOOPBACK_TO_US}:{rogue.port}"
            for trust in (None, Authority().client()):
                async with open_peer(
                    url, ALICE, wait=LinkState.OFFLINE, attempt_timeout=0.5, tls=trust
                ) as alice:
                    assert "ertificate" in (alice.status().last_error or "")
            assert rogue.connects == []
        async with running(Rogue(info(tls_required=True), tls=authority.server("other.example"))) as rogue:
            url = f"tls://{NOT_LOOPBACK_TO_US}:{rogue.port}"
            async with open_peer(
                url, ALICE, wait=LinkState.OFFLINE, attempt_timeout=0.5, tls=authority.client()
            ) as alice:
                assert "ertificate" in (alice.status().last_error or "")
            assert rogue.connects == []


async def test_a_verified_certificate_gets_the_signature(open_peer) -> None:
    authority = Authority()
    with trio.fail_after(15):
        async with running(Rogue(info(tls_required=True), tls=authority.server(NOT_LOOPBACK_TO_US))) as rogue:
            url = f"tls://{NOT_LOOPBACK_TO_US}:{rogue.port}"
            async with open_peer(
                url, ALICE, wait=LinkState.OFFLINE, attempt_timeout=0.5, tls=authority.client()
            ):
                pass
            assert rogue.connects[0]["nkey"] == ALICE.public.nkey


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"INFO []\r\n",
        b"INFO {}\r\n",
        b"INFO not json\r\n",
        b"INFO \xff\xfe\r\n",
        b'INFO {"max_payload": "much", "nonce": 7, "auth_required": true}\r\n',
        b"INFO " + b"x" * 300_000,
        b"INFO " + b"[" * 20_000 + b"\r\n",
        b"-ERR 'go away'\r\n",
    ],
)
async def test_garbage_is_offline_and_nothing_else(greeting: bytes, open_peer) -> None:
    with trio.fail_after(15):
        async with running(Rogue(greeting)) as rogue:
            url = f"nats://127.0.0.1:{rogue.port}"
            to = Destination(url, f"kez.inbox.{BOB.public.hex}")
            async with open_peer(
                url, ALICE, wait=LinkState.OFFLINE, connect_timeout=1.0, attempt_timeout=0.5
            ) as alice:
                assert alice.status().last_error
                with pytest.raises(TransportUnavailableError):
                    await alice.send(to, b"", "k", first_attempt=True)


async def test_a_message_without_end_does_not_fill_the_memory(open_peer) -> None:
    endless = b"PONG\r\nMSG a 1 4000000000\r\n" + b"x" * 4_000_000
    with trio.fail_after(15):
        async with (
            running(Rogue(info(), after_connect=endless)) as rogue,
            open_peer(
                f"nats://127.0.0.1:{rogue.port}", ALICE, wait=LinkState.OFFLINE, attempt_timeout=0.5
            ) as alice,
        ):
            assert alice.status().last_error


async def test_a_foreign_broker_sees_the_guest_key_only(open_peer) -> None:
    with trio.fail_after(15):
        async with running(Rogue(info())) as own, running(Rogue(info())) as foreign:
            url = f"nats://127.0.0.1:{own.port}"
            async with open_peer(url, ALICE, wait=None, attempt_timeout=1.0) as alice:
                to = Destination(f"nats://127.0.0.1:{foreign.port}", f"kez.inbox.{BOB.public.hex}")
                with pytest.raises(TransportUnavailableError):
                    await alice.send(to, b"", "k", first_attempt=True)
            [connect] = foreign.connects
            guest = ALICE.nats_guest("127.0.0.1").public
            assert connect["nkey"] == guest.nkey
            guest.verify(NONCE.encode(), base64.b64decode(str(connect["sig"])))
            everything = b"\n".join(foreign.lines)
            assert ALICE.public.nkey.encode() not in everything
            assert ALICE.public.hex.encode() not in everything
            assert b"a" * 32 not in everything


async def test_a_foreign_broker_that_hangs_blocks_no_other(open_peer) -> None:
    with trio.fail_after(20):
        async with running(Rogue(b"")) as deaf:
            async with open_peer("nats://127.0.0.1:9", ALICE, wait=None, attempt_timeout=0.5) as alice:
                to = Destination(f"nats://127.0.0.1:{deaf.port}", f"kez.inbox.{BOB.public.hex}")
                started = trio.current_time()
                async with trio.open_nursery() as nursery:

                    async def one(number: int) -> None:
                        with pytest.raises(TransportUnavailableError):
                            await alice.send(to, b"", f"k{number}", first_attempt=True)

                    for number in range(20):
                        nursery.start_soon(one, number)
                assert trio.current_time() - started < 2
            assert deaf.connections == 1


async def test_guest_connections_are_few_and_the_unused_one_makes_room(open_peer) -> None:
    def at(rogue: Rogue) -> Destination:
        return Destination(f"nats://127.0.0.1:{rogue.port}", f"kez.inbox.{BOB.public.hex}")

    with trio.fail_after(15):
        async with (
            running(Rogue(b"")) as first,
            running(Rogue(b"")) as second,
            open_peer("nats://127.0.0.1:9", ALICE, wait=None, attempt_timeout=0.5, guest_limit=1) as alice,
            trio.open_nursery() as nursery,
        ):

            async def unavailable(rogue: Rogue) -> None:
                with pytest.raises(TransportUnavailableError):
                    await alice.send(at(rogue), b"", "k", first_attempt=True)

            nursery.start_soon(unavailable, first)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(TransportUnavailableError, match="too many"):
                await alice.send(at(second), b"", "k", first_attempt=True)
            assert second.connections == 0
            await trio.sleep(0.6)
            await unavailable(second)
            assert second.connections == 1


class Authority:
    """A certificate authority made for one test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's authority")])
        self._certificate = self._sign(self._name, self._key.public_key(), ca=True)

    def client(self) -> ssl.SSLContext:
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(subject, key.public_key(), host=host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        load_chain(context, pem)
        return context

    def _sign(
        self, subject: x509.Name, key, *, ca: bool = False, host: str | None = None
    ) -> x509.Certificate:
        now = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=365 * 30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if ca:
            # Python 3.13 verifies strictly: an authority has to say that it signs certificates.
            flags = dict.fromkeys(
                [
                    "digital_signature",
                    "content_commitment",
                    "key_encipherment",
                    "data_encipherment",
                    "key_agreement",
                    "crl_sign",
                    "encipher_only",
                    "decipher_only",
                ],
                False,
            )
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, **flags), critical=True)
        if host is not None:
            names: list[x509.GeneralName] = [x509.DNSName(host)]
            if host == NOT_LOOPBACK_TO_US:
                names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    """`load_cert_chain` takes a path only."""
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)

"""A hostile identity: registered at a home like anybody, then free to put any bytes into an inbox.

Builds the envelopes that `kezd.kez.sealed.seal` refuses to build, and publishes them through
the real NATS with the real transport. Not a peer: it reads nothing and follows no rule.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from kezd.kez.bodies import Kind
from kezd.kez.envelope import encode_envelope
from kezd.kez.handles import Handle
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import PublicKey, Seed, X25519Key
from kezd.kez.noise import write_x
from kezd.kez.padding import pad
from kezd.kez.registration import registration_payload
from kezd.kez.sealed import PROLOGUE, VERSION
from kezd.kez.sender_tag import inbox_prefix, message_id
from kezd.kez.signing import Signer
from kezd.kez.timestamps import format_timestamp
from kezd.net.nats.config import NatsConfig
from kezd.net.nats.endpoint import parse_endpoints
from kezd.net.nats.transport import NatsTransport
from kezd.runtime.clock import Clock, SystemClock
from kezd.runtime.transport import Destination, LinkState, SendResult

SEGMENT = 65_518
SMALL_ORDER = tuple(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""X25519 points whose shared secret is zero whatever the other key is (RFC 7748, section 7)."""


def new_signer() -> Signer:
    """A fresh identity."""
    return Signer(Seed(secrets.token_bytes(32)))


def body(sender: PublicKey, to: PublicKey, text: str, *, sent_at: float, **members: Any) -> dict[str, Any]:
    """A message body that is right in everything except what `members` replaces."""
    return {
        "v": VERSION,
        "id": secrets.token_hex(16),
        "from": sender.primary,
        "from_device": "0",
        "to": to.primary,
        "stream": secrets.token_hex(16),
        "n": 1,
        "sent_at": format_timestamp(int(sent_at)),
        "kind": Kind.TEXT.value,
        "body": {"text": text},
    } | members


def seal_content(
    static: Signer, recipient: PublicKey, content: Callable[[bytes], bytes], *, padding: bool = True
) -> bytes:
    """An envelope around any bytes: `content` gets the handshake hash and returns what is sealed."""
    message, handshake, key = write_x(
        PROLOGUE, static, X25519Key(secrets.token_bytes(32)), recipient.x25519()
    )
    inside = content(handshake)
    padded = pad(inside) if padding else inside
    cipher, parts = ChaCha20Poly1305(key), [b"\x02", message]
    for number, start in enumerate(range(0, len(padded), SEGMENT)):
        flag = b"\x01" if start + SEGMENT >= len(padded) else b"\x00"
        nonce = bytes(4) + number.to_bytes(8, "little")
        sealed = cipher.encrypt(nonce, flag + padded[start : start + SEGMENT], None)
        parts += [len(sealed).to_bytes(2, "big"), sealed]
    return b"".join(parts)


def seal_any(
    static: Signer, recipient: PublicKey, members: dict[str, Any], signature: str | None = None
) -> bytes:
    """An envelope with any body: signed by `static` when it can, else with `signature`."""

    def content(handshake: bytes) -> bytes:
        sig = static.body_signature(handshake, members) if signature is None else signature
        return canonicalize(members | {"sig": sig})

    return seal_content(static, recipient, content)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One attack: bytes, what they try, and the drop cause that must be counted (None: something else)."""

    name: str
    data: bytes


def _always(content: bytes) -> Callable[[bytes], bytes]:
    return lambda _: content


def malformed_envelopes(mallory: Signer, bob: PublicKey, alice: PublicKey, now: float) -> list[Envelope]:
    """Envelopes that must be dropped and counted, whoever sends them."""
    good = body(mallory.public, bob, "let me in", sent_at=now)
    whole = seal_any(mallory, bob, good)
    made = [
        Envelope(f"garbage of {n} bytes", b"\x02" + secrets.token_bytes(n)) for n in (0, 1, 112, 700, 70_000)
    ]
    made += [Envelope(f"truncated to {n} bytes", whole[:n]) for n in (1, 33, 113, 400, len(whole) - 1)]
    for position in (5, 40, 100, 200, len(whole) - 1):
        flipped = bytearray(whole)
        flipped[position] ^= 0x10
        made.append(Envelope(f"bit flipped in byte {position}", bytes(flipped)))
    made.append(Envelope("a tail after the end", whole + b"\x00" * 20))
    made += [Envelope("small-order ephemeral key", whole[:1] + point + whole[33:]) for point in SMALL_ORDER]
    other = new_signer().public
    made.append(Envelope("sealed for another key", seal_any(mallory, other, good | {"to": other.primary})))
    made.append(Envelope("addressed to another", seal_any(mallory, bob, good | {"to": alice.primary})))
    made.append(
        Envelope("in the name of another", seal_any(mallory, bob, good | {"from": alice.primary}, "00" * 64))
    )
    made.append(Envelope("forged signature", seal_any(mallory, bob, good, "ab" * 64)))
    made.append(Envelope("no signature", seal_any(mallory, bob, good, "")))
    small = "ed25519:" + SMALL_ORDER[1].hex()
    made.append(Envelope("small-order sender key", seal_any(mallory, bob, good | {"from": small}, "00" * 64)))
    bodies: dict[str, Any] = {
        "n of zero": {"n": 0}, "stream not hex": {"stream": "x"}, "n a text": {"n": "1"},
        "id not hex": {"id": "zz" * 16}, "kind with a line break": {"kind": "text\n"}, "no date": {"sent_at": "soon"},
        "body a text": {"body": "hello"}, "device with a dot": {"from_device": "0.>"}, "old version": {"v": 1},
        "empty text": {"body": {"text": ""}}, "text a number": {"body": {"text": 5}},
        "text over 32 KiB": {"body": {"text": "x" * 40_000}},
        "receipt of nothing": {"kind": "receipt", "body": {"state": "read", "ids": []}},
        "receipt of another's message": {"kind": "receipt", "body": {"state": "read", "ids": [secrets.token_hex(16)]}},
    }  # fmt: skip
    made += [Envelope(name, seal_any(mallory, bob, good | wrong)) for name, wrong in bodies.items()]
    texts = {
        "not JSON": b"\xff\xfe", "a list": b"[]", "deep": b"[" * 5000 + b"]" * 5000,
        "a member twice": b'{"v":2,"v":2}', "a float": b'{"v":2.5}', "half a character": b'{"v":"\\ud800"}',
        "a huge number": b'{"v":' + b"9" * 5000 + b"}", "nothing": b"",
    }  # fmt: skip
    for name, text in texts.items():
        made.append(Envelope(f"content: {name}", seal_content(mallory, bob, _always(text))))
    made.append(
        Envelope(
            "padding not zeros",
            seal_content(mallory, bob, _always(b"\x00\x00\x00\x02{}" + b"\x01" * 506), padding=False),
        )
    )
    return made


class Mallory:
    """A registered identity with a transport of its own."""

    def __init__(self, signer: Signer, handle: Handle, clock: Clock) -> None:
        self.signer = signer
        self.handle = handle
        self.clock = clock
        self._transport: NatsTransport
        self._nats_url = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, home_url: str, name: str, server: str) -> AsyncIterator["Mallory"]:
        """Register at a home and stay connected for the length of the block."""
        clock = SystemClock()
        self = cls(new_signer(), Handle(name, server), clock)
        async with httpx.AsyncClient(base_url=home_url, trust_env=False) as http:
            payload = registration_payload(self.handle, self.signer.public, int(clock.now()))
            answer = await http.post(
                "/v1/register", content=encode_envelope(self.signer.registration(payload))
            )
            answer.raise_for_status()
            self._nats_url = (await http.get("/v1/server")).raise_for_status().json()["nats_urls"][0]
        config = NatsConfig(parse_endpoints(self._nats_url), max_message=250 * 1024)
        async with NatsTransport.open(config, self.signer, secrets.token_hex(16), clock) as self._transport:
            status = self._transport.status()
            while status.state is not LinkState.ONLINE:
                status = await self._transport.wait_status_change(status)
            yield self

    async def publish(self, victim: PublicKey, data: bytes, *, dedupe_key: str | None = None) -> SendResult:
        """Put any bytes into somebody's inbox."""
        to = Destination(self._nats_url, inbox_prefix(victim))
        key = message_id(data) if dedupe_key is None else dedupe_key
        return await self._transport.send(to, data, key, first_attempt=False)

"""Fixtures of the protocol tests: two identities, a forger of sealed messages, the vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import HealthCheck, settings

from kezd.kez.jcs import canonicalize
from kezd.kez.keys import PublicKey, Seed, X25519Key
from kezd.kez.noise import write_x
from kezd.kez.padding import pad
from kezd.kez.sealed import PROLOGUE
from kezd.kez.signing import BODY_PREFIX, Signer

VECTORS = Path(__file__).parent.parent / "vectors"
EPHEMERAL = bytes(range(32))

settings.register_profile("kez", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kez")


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], dict[str, Any]]:
    return lambda name: json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def alice() -> Signer:
    return Signer(Seed(b"\x0a" * 32))


@pytest.fixture(scope="session")
def bob() -> Signer:
    return Signer(Seed(b"\x0b" * 32))


@pytest.fixture(scope="session")
def carol() -> Signer:
    return Signer(Seed(b"\x0c" * 32))


@pytest.fixture
def message(alice: Signer, bob: Signer) -> dict[str, Any]:
    return {
        "v": 2,
        "id": "0123456789abcdef" * 2,
        "from": alice.public.primary,
        "from_device": "0",
        "to": bob.public.primary,
        "stream": "fedcba9876543210" * 2,
        "n": 1,
        "sent_at": "2026-01-01T00:00:00Z",
        "kind": "text",
        "body": {"text": "hello"},
    }


class Forger:
    """Makes sealed messages that `seal` would refuse to make."""

    def content(self, sender: Signer, body: dict[str, Any], handshake_hash: bytes) -> bytes:
        signed = BODY_PREFIX + handshake_hash + canonicalize(body)
        return canonicalize(body | {"sig": sender._key.sign(signed).hex()})

    def handshake(self, sealer: Signer, recipient: PublicKey) -> tuple[bytes, bytes, bytes]:
        return write_x(PROLOGUE, sealer, X25519Key(EPHEMERAL), recipient.x25519())

    def segments(self, handshake: bytes, key: bytes, *plaintexts: bytes) -> bytes:
        cipher, out = ChaCha20Poly1305(key), b"\x02" + handshake
        for number, plaintext in enumerate(plaintexts):
            sealed = cipher.encrypt(bytes(4) + number.to_bytes(8, "little"), plaintext, None)
            out += len(sealed).to_bytes(2, "big") + sealed
        return out

    def padded(self, sealer: Signer, recipient: PublicKey, padded: bytes) -> bytes:
        handshake, _, key = self.handshake(sealer, recipient)
        return self.segments(handshake, key, b"\x01" + padded)

    def raw(self, sealer: Signer, recipient: PublicKey, content: bytes) -> bytes:
        return self.padded(sealer, recipient, pad(content))

    def body(
        self, sealer: Signer, recipient: PublicKey, body: dict[str, Any], signer: Signer | None = None
    ) -> bytes:
        handshake, handshake_hash, key = self.handshake(sealer, recipient)
        content = self.content(signer or sealer, body, handshake_hash)
        return self.segments(handshake, key, b"\x01" + pad(content))


@pytest.fixture(scope="session")
def forger() -> Forger:
    return Forger()

"""Sigchains as bytes: JSONL, and the compressed bundle `kez:zc1:…`.

Not here: fetching. Invariants: one chain has one JSONL (JCS a line, a newline after each), so implementations
agree byte for byte; at most 16 MiB, 64 KiB a line, checked before anything is parsed.
"""

from collections.abc import Iterator
from typing import Final

from kezd.kez.encodings import compress, decode_base64url, decompress, encode_base64url
from kezd.kez.errors import CanonicalError, EncodingError, SigchainError, shown
from kezd.kez.jcs import MAX_BYTES
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain.chain import MAX_CHAIN, Chain
from kezd.kez.sigchain.event import Event, decode_event

BUNDLE_PREFIX: Final = "kez:zc1:"


def _events(data: bytes) -> Iterator[Event]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start, start + MAX_BYTES + 1)
        if end < 0:
            raise SigchainError(f"a line has at most {MAX_BYTES} bytes and ends with a newline")
        line = data[start:end]
        event = decode_event(line)
        if event.encoded != line:
            raise CanonicalError(f"event {event.seq} is not written in canonical form")
        yield event
        start = end + 1


def decode_jsonl(data: bytes, genesis: PublicKey) -> Chain:
    """Decode and verify a whole chain.

    Args:
        data: JSONL, at most 16 MiB; empty for the empty chain.
        genesis: the key whose chain it must be.

    Raises:
        SigchainError: too large, a bad line, or the chain does not hold together.
        CanonicalError: a line is not in canonical form.
        EnvelopeError: a line is no envelope of a sigchain event.
        KeyMaterialError: an event names a key that is not usable.
        SignatureError: a signature does not hold.
    """
    if len(data) > MAX_CHAIN:
        raise SigchainError(f"a chain has at most {MAX_CHAIN} bytes")
    return Chain.empty(genesis).extend(_events(data))


def encode_jsonl(chain: Chain) -> bytes:
    """Encode a chain as JSONL."""
    return b"".join(event.encoded + b"\n" for event in chain.events)


def encode_bundle(chain: Chain) -> str:
    """Encode a chain as `kez:zc1:` and base64url of its zstd-compressed JSONL."""
    return BUNDLE_PREFIX + encode_base64url(compress(encode_jsonl(chain)))


def decode_bundle(text: str, genesis: PublicKey) -> Chain:
    """Decode and verify a bundle; decompression stops at 16 MiB.

    Raises:
        EncodingError: not a bundle, or too large.
        KezError: as `decode_jsonl`.
    """
    if not text.startswith(BUNDLE_PREFIX):
        raise EncodingError(f"a bundle starts with {BUNDLE_PREFIX}, not {shown(text)}")
    packed = decode_base64url(text.removeprefix(BUNDLE_PREFIX), max_bytes=MAX_CHAIN)
    return decode_jsonl(decompress(packed, max_bytes=MAX_CHAIN), genesis)

"""base64url and bounded zstd: how KEZ carries bytes in text and keeps bundles small.

Not here: what the bytes mean. Invariants: base64url goes out without padding and comes in with or without;
decompression never gives more than the caller's cap.
"""

import base64
import re
from typing import Final

import zstandard

from kezd.kez.errors import EncodingError

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_LEVEL: Final = 9
_EMPTY: Final = zstandard.ZstdCompressor(level=_LEVEL).compress(b"")


def encode_base64url(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str, *, max_bytes: int) -> bytes:
    """Read base64url, padded or not.

    Args:
        text: the encoded text.
        max_bytes: most bytes the result may have.

    Raises:
        EncodingError: foreign characters, wrong padding, spare bits set, too long.
    """
    if len(text) > max_bytes * 4 // 3 + 4:
        raise EncodingError(f"more than {max_bytes} bytes in base64url")
    bare = text.rstrip("=")
    if not _ALPHABET.fullmatch(text) or len(bare) % 4 == 1:
        raise EncodingError("that is not base64url")
    if len(text) != len(bare) and len(text) % 4:
        raise EncodingError("the padding of the base64url is wrong")
    data = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if len(data) > max_bytes or encode_base64url(data) != bare:
        raise EncodingError("that base64url is too long or has spare bits set")
    return data


def compress(data: bytes) -> bytes:
    """Compress into one zstd frame that names its content size."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def decompress(data: bytes, *, max_bytes: int) -> bytes:
    """Decompress exactly one zstd frame.

    Args:
        data: the frame.
        max_bytes: most bytes that may come out; a frame that says or gives more is an error, not memory.

    Raises:
        EncodingError: not one whole zstd frame, or too large.
    """
    try:
        stated = zstandard.get_frame_parameters(data).content_size
        if stated != zstandard.CONTENTSIZE_UNKNOWN and stated > max_bytes:
            raise EncodingError(f"more than {max_bytes} bytes when decompressed")
        if stated == 0 and data != _EMPTY:  # the library does not look at what follows such a header
            raise EncodingError("that is not one whole zstd frame of an allowed size")
        return zstandard.ZstdDecompressor().decompress(
            data, max_output_size=max_bytes, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise EncodingError("that is not one whole zstd frame of an allowed size") from error

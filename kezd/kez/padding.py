"""The padding of sealed messages: u32 length, content, zeros up to max(512, Padmé).

Source for Padmé: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs"
(PETS 2019), section 4.2. Not here: encryption. Invariant: one padded form for one content.
"""

from typing import Final

from kezd.kez.errors import SealedError

MIN_PADDED: Final = 512  # bytes
LENGTH_SIZE: Final = 4  # bytes of the length in front


def padded_size(size: int) -> int:
    """Return the padded size of `size` bytes, length included: max(512, Padmé)."""
    if size <= MIN_PADDED:
        return MIN_PADDED
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def pad(content: bytes) -> bytes:
    """Return length, content and zeros."""
    size = LENGTH_SIZE + len(content)
    return len(content).to_bytes(LENGTH_SIZE, "big") + content + bytes(padded_size(size) - size)


def unpad(padded: bytes) -> bytes:
    """Return the content.

    Raises:
        SealedError: the length is wrong for the padded size, or the fill is not zeros.
    """
    size = int.from_bytes(padded[:LENGTH_SIZE], "big")
    end = LENGTH_SIZE + size
    if len(padded) != padded_size(end):
        raise SealedError("the padding is not what the length asks for")
    if padded.count(0, end) != len(padded) - end:
        raise SealedError("the padding is not zeros")
    return padded[LENGTH_SIZE:end]

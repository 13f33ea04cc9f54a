"""bech32 of 32-byte keys, as nostr's `npub1…` uses it (BIP-173, NIP-19).

Not here: bech32m, segwit addresses, other lengths. Invariant: one text for one key.
"""

from typing import Final

from kezd.kez.errors import IdentifierError

_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_DATA_SYMBOLS: Final = 52  # five-bit symbols that carry 256 bits, four spare bits at the end
_CHECK_SYMBOLS: Final = 6
_SPARE_BITS: Final = 4


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                check ^= generator
    return check


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def encode_key(prefix: str, raw: bytes) -> str:
    """Write 32 bytes as `<prefix>1…`.

    Raises:
        IdentifierError: `raw` is not 32 bytes.
    """
    if len(raw) != 32:
        raise IdentifierError("a key in bech32 is 32 bytes")
    bits = int.from_bytes(raw, "big") << _SPARE_BITS
    data = [bits >> 5 * place & 31 for place in reversed(range(_DATA_SYMBOLS))]
    check = _polymod([*_expand(prefix), *data, *[0] * _CHECK_SYMBOLS]) ^ 1
    data += [check >> 5 * place & 31 for place in reversed(range(_CHECK_SYMBOLS))]
    return f"{prefix}1" + "".join(_CHARSET[symbol] for symbol in data)


def decode_key(prefix: str, text: str) -> bytes:
    """Read 32 bytes from lower-case `<prefix>1…`.

    Raises:
        IdentifierError: other prefix, length, alphabet or checksum.
    """
    head = f"{prefix}1"
    symbols = text.removeprefix(head)
    if len(text) != len(head) + _DATA_SYMBOLS + _CHECK_SYMBOLS or not text.startswith(head):
        raise IdentifierError(f"a key of this kind is written {head}… with {_DATA_SYMBOLS} symbols")
    if any(symbol not in _CHARSET for symbol in symbols):
        raise IdentifierError("a bech32 key holds a foreign character")
    bits = 0
    for symbol in symbols[:_DATA_SYMBOLS]:
        bits = bits << 5 | _CHARSET.index(symbol)
    raw = (bits >> _SPARE_BITS).to_bytes(32, "big")
    # Encoding again checks the checksum and the spare bits in one.
    if encode_key(prefix, raw) != text:
        raise IdentifierError("the checksum of the bech32 key does not match")
    return raw

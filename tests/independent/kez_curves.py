"""Signatures of both kinds, written again from RFC 8032 and BIP-340: integers, and `cryptography` for Ed25519.

Part of the second reader; imports nothing of kezd.
"""

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# --- Ed25519: which keys are points of the prime-order group ---------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
NOTHING: Point = (0, 1, 1, 0)


def _plus(a: Point, b: Point) -> Point:
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    found = NOTHING
    while number:
        if number & 1:
            found = _plus(found, point)
        point, number = _plus(point, point), number >> 1
    return found


def _is_nothing(point: Point) -> bool:
    x, y, z, _ = point
    return x % P == 0 and (y - z) % P == 0


def _ed_point(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


@lru_cache(maxsize=256)
def is_ed25519_key(raw: bytes) -> bool:
    """A canonical point of the prime-order group that is not its neutral element."""
    point = _ed_point(raw)
    return point is not None and not _is_nothing(point) and _is_nothing(_times(L, point))


@lru_cache(maxsize=4096)
def _small(raw: bytes) -> bool:
    point = _ed_point(raw)
    return point is not None and _is_nothing(_times(8, point))


def ed25519_holds(key: bytes, message: bytes, signature: bytes) -> bool:
    if not is_ed25519_key(key) or int.from_bytes(signature[32:], "little") >= L or _small(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


# --- BIP-340 ---------------------------------------------------------------------------

Q = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Affine = tuple[int, int] | None


def _add(a: Affine, b: Affine) -> Affine:
    if a is None or b is None:
        return a or b
    (x1, y1), (x2, y2) = a, b
    if x1 == x2 and (y1 + y2) % Q == 0:
        return None
    slope = 3 * x1 * x1 * pow(2 * y1, -1, Q) if a == b else (y2 - y1) * pow(x2 - x1, -1, Q)
    x = (slope * slope - x1 - x2) % Q
    return x, (slope * (x1 - x) - y1) % Q


def _multiply(number: int, point: Affine) -> Affine:
    found: Affine = None
    while number:
        if number & 1:
            found = _add(found, point)
        point, number = _add(point, point), number >> 1
    return found


def nostr_point(raw: bytes) -> Affine:
    """The point with that x and an even y, None where there is none."""
    x = int.from_bytes(raw, "big")
    if x >= Q:
        return None
    square = (pow(x, 3, Q) + 7) % Q
    y = pow(square, (Q + 1) // 4, Q)
    return None if y * y % Q != square else (x, y if y % 2 == 0 else Q - y)


def _tagged(tag: str, data: bytes) -> bytes:
    head = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(head + head + data).digest()


def bip340_holds(key: bytes, message: bytes, signature: bytes) -> bool:
    point = nostr_point(key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or point is None or r >= Q or s >= N:
        return False
    challenge = int.from_bytes(_tagged("BIP0340/challenge", signature[:32] + key + message), "big") % N
    found = _add(_multiply(s, G), _multiply(N - challenge, point))
    return found is not None and found[1] % 2 == 0 and found[0] == r

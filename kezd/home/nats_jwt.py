"""NATS JWTs (version 2) as the auth callout needs them: sign one, open one.

Not a JWT library: one algorithm (`ed25519-nkey`), no key look-up, no `exp` check (the caller has
the clock). Signed bytes are `base64url(header) "." base64url(payload)`, the signature is
base64url too (nats-io/jwt v2; `jti` = base32 of SHA-512/256 of the claims).
"""

import base64
import binascii
import hashlib
from typing import Any

import msgspec

from kezd.home.nats_keys import NatsKey
from kezd.kez.errors import EncodingError, KezError
from kezd.kez.keys import PublicKey
from kezd.kez.nkeys import Prefix, decode_public

MAX_JWT_BYTES = 64 * 1024
_HEADER = b'{"typ":"JWT","alg":"ed25519-nkey"}'


class JwtError(KezError):
    """Not a NATS JWT that the expected kind of key signed."""

    slug = "bad_jwt"


def base64url(data: bytes) -> bytes:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def from_base64_any(text: str) -> bytes:
    """Decode base64 in either alphabet, padded or not (nats-py sends standard, Go raw-url).

    Raises:
        EncodingError: something else.
    """
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncodingError("not base64") from error


def encode_jwt(claims: dict[str, Any], key: NatsKey, issued_at: int) -> str:
    """Sign claims; `iss`, `iat` (unix seconds) and `jti` are filled in here."""
    full = {**claims, "iss": key.public, "iat": issued_at}
    digest = hashlib.new("sha512_256", msgspec.json.encode(full)).digest()
    full["jti"] = base64.b32encode(digest).decode().rstrip("=")
    message = base64url(_HEADER) + b"." + base64url(msgspec.json.encode(full))
    return (message + b"." + base64url(key.sign(message))).decode()


def decode_jwt(token: bytes, issuer_prefix: Prefix) -> dict[str, Any]:
    """Open a JWT and check its signature against its own `iss`, which must be of that prefix.

    Raises:
        JwtError: wrong shape, wrong algorithm, wrong kind of issuer, bad signature.
    """
    if len(token) > MAX_JWT_BYTES or token.count(b".") != 2:
        raise JwtError("not a JWT")
    signed, _, signature = token.rpartition(b".")
    head, _, payload = signed.partition(b".")
    try:
        header = msgspec.json.decode(from_base64_any(head.decode("ascii")), type=dict[str, Any])
        claims = msgspec.json.decode(from_base64_any(payload.decode("ascii")), type=dict[str, Any])
        if header.get("alg") != "ed25519-nkey":
            raise JwtError("wrong algorithm")
        issuer = PublicKey(decode_public(str(claims.get("iss")), issuer_prefix))
        issuer.verify(signed, from_base64_any(signature.decode("ascii")))
    except (msgspec.DecodeError, UnicodeDecodeError, KezError) as error:
        raise JwtError("not a NATS JWT of the expected signer") from error
    return claims

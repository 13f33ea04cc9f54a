"""Chains as text: the ways in which one is given away, and any of them read back.

CPU only, some of it seconds for a full chain: call it in a thread. Invariant: what comes out
of `read_copy` is verified, and of one identity.
"""

import re
from typing import Final, Literal

from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.encodings import decode_base64url, decompress
from kezd.kez.errors import KezError
from kezd.kez.handles import parse_server_name
from kezd.kez.nostr_keys import parse_any_primary
from kezd.kez.sigchain import (
    BUNDLE_PREFIX,
    MAX_CHAIN,
    Chain,
    decode_event,
    decode_jsonl,
    encode_bundle,
    encode_jsonl,
)

TXT_STRING: Final = 255  # bytes of one string of a TXT record (RFC 1035, section 3.3)
TXT_RECORD: Final = 65_000  # bytes of a whole record, with its lengths
TTL: Final = 3600  # seconds
NAME: Final = "_kez-sigchain"
_STRING: Final = re.compile(r'"([^"\\]*)"')
_BUNDLE: Final = re.compile(r"kez:zc1:[A-Za-z0-9_=-]+")


def write_copy(chain: Chain, form: Literal["jsonl", "bundle", "zone"], domain: str | None) -> bytes:
    """The chain as JSONL, as a bundle, or as a zone-file line of a TXT record that holds the bundle.

    Raises:
        RequestError: `invalid_argument` without a good domain; `too_large` for a TXT record.
    """
    match form:
        case "jsonl":
            return encode_jsonl(chain)
        case "bundle":
            return encode_bundle(chain).encode() + b"\n"
        case "zone":
            return _zone_line(chain, domain).encode() + b"\n"


def _zone_line(chain: Chain, domain: str | None) -> str:
    try:
        name = parse_server_name(domain or "")
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"`domain`: {error}", detail={"field": "domain"}) from error
    bundle = encode_bundle(chain)
    parts = [bundle[start : start + TXT_STRING] for start in range(0, len(bundle), TXT_STRING)]
    if len(bundle) + len(parts) > TXT_RECORD:
        raise RequestError(Slug.TOO_LARGE, "this sigchain is too long for a TXT record: use jsonl or bundle")
    strings = " ".join(f'"{part}"' for part in parts)
    return f"{NAME}.{name}. {TTL} IN TXT ( {strings} )"


def read_copy(text: str) -> Chain:
    """Read and verify a chain in any of the forms; whose it is, its first event says.

    Raises:
        TrustError: `chain_invalid`.
    """
    try:
        data = _unpack(text) if BUNDLE_PREFIX in text else text.strip().encode() + b"\n"
        return decode_jsonl(data, parse_any_primary(decode_event(data.partition(b"\n")[0]).key))
    except (KezError, UnicodeEncodeError) as error:
        raise TrustError(Slug.CHAIN_INVALID, f"that is no sigchain that verifies: {error}") from error


def _unpack(text: str) -> bytes:
    joined = "".join(_STRING.findall(text)) if '"' in text else "".join(text.split())
    found = _BUNDLE.search(joined)
    packed = "" if found is None else found[0].removeprefix(BUNDLE_PREFIX)
    return decompress(decode_base64url(packed, max_bytes=MAX_CHAIN), max_bytes=MAX_CHAIN)

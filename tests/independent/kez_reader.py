"""A second reader of KEZ's envelopes and of the four encodings of a proof, written again from `docs/protocol`.

Only the standard library, `cryptography` for Ed25519 and `zstandard` for bytes; nothing of kezd. It favours being
obvious over being fast, so that where it and kezd differ, one of the two is wrong.
"""

import base64
import json
import re
import unicodedata
from datetime import datetime
from hashlib import sha256

import kez_curves
import zstandard

KIB_64 = 65_536
DEPTH = 32
MOST = 2**53 - 1
TYPES = {
    "claim": "kez.claim",
    "sigchain_event": "kez.sigchain.event",
    "handle_registration": "kez.chat.handle_registration",
    "profile_proofs": "kez.chat.profile_proofs",
}


class RefusedError(Exception):
    """It is not what KEZ says it must be."""


def need(good, why):
    if not good:
        raise RefusedError(why)


# --- JSON and JCS ----------------------------------------------------------------------


def _object(pairs):
    need(len({name for name, _ in pairs}) == len(pairs), "a member twice")
    return dict(pairs)


def _number(text):
    need(len(text) < 18 and abs(int(text)) <= MOST, "too large a number")
    return int(text)


def _no_number(text):
    raise RefusedError(f"a number that is none: {text}")


def _deepest(text):
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def parse(data):
    """Strict JSON of at most 64 KiB."""
    need(len(data) <= KIB_64, "too long")
    try:
        text = data.decode("utf-8")
        need(_deepest(text) <= DEPTH, "too deep")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_number,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except ValueError as error:
        raise RefusedError("not JSON") from error
    jcs(value)
    return value


SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def _string(text):
    parts = [SHORT.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text]
    try:
        return '"' + "".join(parts).encode("utf-8").decode() + '"'
    except UnicodeError as error:
        raise RefusedError("a lone surrogate") from error


def _jcs(value):
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(_jcs(item) for item in value) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{_string(name)}:{_jcs(value[name])}" for name in names) + "}"


def jcs(value):
    """RFC 8785, of what KEZ signs."""
    return _jcs(value).encode()


# --- keys, times, names ----------------------------------------------------------------

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _check_number(symbols):
    number = 1
    for symbol in symbols:
        top, number = number >> 25, (number & 0x1FFFFFF) << 5 ^ symbol
        for bit, term in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                number ^= term
    return number


def npub(text):
    """The 32 bytes of `npub1…`."""
    need(len(text) == 63 and text.startswith("npub1") and set(text[5:]) <= set(BECH32), "no npub")
    symbols = [BECH32.index(c) for c in text[5:]]
    head = [ord(c) >> 5 for c in "npub"] + [0] + [ord(c) & 31 for c in "npub"]
    need(_check_number(head + symbols) == 1, "the checksum of the npub")
    number = 0
    for symbol in symbols[:52]:
        number = number << 5 | symbol
    need(number & 15 == 0, "spare bits of the npub")
    return (number >> 4).to_bytes(32, "big")


class Key:
    """A primary of either kind."""

    def __init__(self, text):
        need(isinstance(text, str), "no primary")
        self.text = text
        if text.startswith("nostr:"):
            self.alg, self.raw = "secp256k1-schnorr-sha256-jcs", npub(text[6:])
            need(kez_curves.nostr_point(self.raw) is not None, "no point")
        else:
            need(re.fullmatch("ed25519:[0-9a-f]{64}", text), "no primary")
            self.alg, self.raw = "ed25519-sha512-jcs", bytes.fromhex(text[8:])
            need(kez_curves.is_ed25519_key(self.raw), "no usable point")

    def check(self, message, signature):
        if self.alg.startswith("ed25519"):
            need(kez_curves.ed25519_holds(self.raw, message, signature), "the signature")
        else:
            need(kez_curves.bip340_holds(self.raw, sha256(message).digest(), signature), "the signature")


def time(text):
    """Unix seconds."""
    need(
        isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text, re.ASCII), "no time"
    )
    try:
        seconds = int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise RefusedError("no such time") from error
    need(seconds >= 0, "before 1970")
    return seconds


LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
DOMAIN = rf"(?:{LABEL}\.)+{LABEL}"
NAMES = {
    "ed25519": "[0-9a-f]{64}",
    "github": "[a-z0-9](?:-?[a-z0-9]){0,38}",
    "dns": DOMAIN,
    "web": DOMAIN,
    "bluesky": DOMAIN,
    "ap": rf"[a-z0-9_](?:[a-z0-9_.-]{{0,62}}[a-z0-9_])?@{DOMAIN}",
}


def subject(text):
    """An identifier in normal form."""
    need(isinstance(text, str) and len(text) <= 256 and text == text.strip(), "no identifier")
    need(not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Cs"}, "hidden characters")
    system, colon, value = text.partition(":")
    need(colon and re.fullmatch("[a-z][a-z0-9]{0,31}", system) and system != "mastodon", "no system")
    need(value and value == value.strip(), "no name")
    if system == "nostr":
        npub(value)
    elif system in NAMES:
        need(re.fullmatch(NAMES[system], value), f"not a name in {system}")
    return text


# --- the envelope ----------------------------------------------------------------------


def envelope(value, kind=None):
    """Check an envelope with its signature, and return its payload.

    A kind can be wanted; otherwise it is what the envelope says.
    """
    need(isinstance(value, dict) and set(value) == {"kez", "payload", "signature"}, "members")
    payload, signature = value["payload"], value["signature"]
    need(isinstance(payload, dict) and isinstance(signature, dict), "types")
    need(set(signature) == {"alg", "key", "sig"}, "members of the signature")
    need(isinstance(value["kez"], str) and value["kez"] in TYPES, "kind")
    need(kind is None or value["kez"] == kind, "another kind")
    need(payload.get("type") == TYPES[value["kez"]], "type")
    need(payload.get("version") == 1 and type(payload["version"]) is int, "version")
    time(payload.get("created_at"))
    need(signature["key"] == payload.get("primary"), "the key is not the primary")
    key = Key(signature["key"])
    need(signature["alg"] == key.alg, "algorithm")
    need(isinstance(signature["sig"], str) and re.fullmatch("[0-9a-f]{128}", signature["sig"]), "signature")
    need(len(jcs(value)) <= KIB_64, "too long")
    key.check(jcs(payload), bytes.fromhex(signature["sig"]))
    return payload


def claim(value):
    """Check a claim: primary, subject, date, and its end or None."""
    payload = envelope(value, "claim")
    end = time(payload["expires_at"]) if "expires_at" in payload else None
    return payload["primary"], subject(payload.get("subject")), time(payload["created_at"]), end


# --- the encodings ---------------------------------------------------------------------


def unbase64url(text):
    need(re.fullmatch("[A-Za-z0-9_-]*={0,2}", text), "not base64url")
    bare = text.rstrip("=")
    need(len(text) == len(bare) or len(text) % 4 == 0, "padding")
    need(len(bare) % 4 != 1, "length")
    data = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    need(base64.urlsafe_b64encode(data).decode().rstrip("=") == bare, "spare bits")
    return data


def unzstd(data, most):
    """Exactly one frame; in small bites, so that a bomb stops early."""
    frame, out = zstandard.ZstdDecompressor().decompressobj(), b""
    try:
        for start in range(0, len(data), 64):
            need(not frame.eof, "more than one frame")
            out += frame.decompress(data[start : start + 64])
            need(len(out) <= most, "a bomb")
    except zstandard.ZstdError as error:
        raise RefusedError("zstd") from error
    need(frame.eof and not frame.unused_data, "not one whole frame")
    return out


def proof(text):
    """The envelope's value of a text that is one proof in one of the four encodings."""
    text = text.strip()
    if text.startswith("{"):
        return parse(text.encode())
    fence = re.search(r"^```kez\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    if fence:
        return proof(fence[1])
    zone = re.fullmatch(r"_kez\.\S+ \d+ IN TXT \( (.*) \)", text)
    if zone:
        strings = re.findall(r'"([^"]*)"', zone[1])
        need(all(len(part) <= 255 for part in strings), "a string of more than 255 bytes")
        return proof("".join(strings))
    need(text.startswith("kez:z1:"), "no proof")
    return parse(unzstd(unbase64url(text[7:]), KIB_64))

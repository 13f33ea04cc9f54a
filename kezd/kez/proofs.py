"""The four encodings of a proof, and one parser that finds any of them in any text.

JSON, compact `kez:z1:…`, Markdown with a fence labelled `kez`, and DNS TXT strings (docs/protocol/proofs.md).
Not here: fetching, and what a claim means (`kezd.kez.claims`). Invariants: whatever is found decodes to the
envelope that was encoded; the parser's work is linear in the text and capped; what looks like a proof and is
none gets an error that says what is wrong and where.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from kezd.kez.encodings import compress, decode_base64url, decompress, encode_base64url
from kezd.kez.envelope import Envelope, decode_envelope, encode_envelope
from kezd.kez.errors import CanonicalError, EncodingError, EnvelopeError
from kezd.kez.jcs import MAX_BYTES

COMPACT_PREFIX: Final = "kez:z1:"
FENCE_LABEL: Final = "kez"
TXT_STRING: Final = 255  # bytes of one string of a TXT record (RFC 1035, section 3.3)
MAX_TEXT: Final = 4 * 1024 * 1024  # characters that are looked through
MAX_CANDIDATES: Final = 256  # places in one text that are tried
MAX_CUT: Final = 16  # objects without an end that are tried: each costs a look at 64 KiB

_COMPACT: Final = re.compile(r"kez:z1:([A-Za-z0-9_-]*={0,2})")
_OBJECT: Final = re.compile(r'\{\s{0,64}"(?:kez|payload|signature)"\s{0,64}:')
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}]', re.DOTALL)
_TXT_SEAM: Final = re.compile(r'"[ \t\r\n]+"')
_FENCE: Final = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*kez[ \t]*$", re.MULTILINE)


class Encoding(StrEnum):
    """How a proof is written."""

    JSON = "json"
    COMPACT = "compact"
    MARKDOWN = "markdown"
    DNS = "dns"


@dataclass(frozen=True, slots=True)
class Found:
    """An envelope that was found in a text; its signature is not checked yet.

    Attributes:
        envelope: well formed.
        at: character of the text at which it begins, from 0.
    """

    envelope: Envelope
    at: int


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that looks like a proof and is none.

    Attributes:
        at: character at which it begins, from 0.
        why: what is wrong, for people.
    """

    at: int
    why: str


def encode_compact(envelope: Envelope) -> str:
    """Encode as `kez:z1:` and base64url of the zstd-compressed JSON, on one line."""
    return COMPACT_PREFIX + encode_base64url(compress(encode_envelope(envelope)))


def encode_json(envelope: Envelope) -> str:
    """Encode as JSON on one line, in canonical form."""
    return encode_envelope(envelope).decode()


def encode_markdown(envelope: Envelope) -> str:
    """Encode as a short Markdown page: who claims what, and the proof in a fence labelled `kez`."""
    primary, subject = envelope.key, envelope.payload.get("subject", envelope.kind)
    return (
        f"# KEZ proof\n\nI am `{subject}`, and my KEZ primary is\n`{primary}`.\n\n"
        f"```{FENCE_LABEL}\n{encode_compact(envelope)}\n```\n"
    )


def encode_txt(envelope: Envelope) -> tuple[str, ...]:
    """Encode as the strings of a DNS TXT record, at most 255 bytes each, to be joined without separator."""
    text = encode_compact(envelope)
    return tuple(text[start : start + TXT_STRING] for start in range(0, len(text), TXT_STRING))


def encode_zone_line(domain: str, envelope: Envelope, ttl: int = 3600) -> str:
    """Encode as a line for a zone file: `_kez.<domain>. TTL IN TXT ( "…" "…" )` (RFC 1035, section 5.1).

    Args:
        domain: an A-label name, without the final dot.
        envelope: the proof.
        ttl: seconds.
    """
    strings = " ".join(f'"{part}"' for part in encode_txt(envelope))
    return f"_kez.{domain}. {ttl} IN TXT ( {strings} )"


def encode_proof(envelope: Envelope, encoding: Encoding, domain: str = "") -> str:
    """Encode in one of the four; `domain` is for DNS, whose result is a zone-file line."""
    match encoding:
        case Encoding.JSON:
            return encode_json(envelope)
        case Encoding.COMPACT:
            return encode_compact(envelope)
        case Encoding.MARKDOWN:
            return encode_markdown(envelope)
        case Encoding.DNS:
            return encode_zone_line(domain, envelope)
        case _:
            assert_never(encoding)


def find_proofs(text: str) -> tuple[list[Found], list[Broken]]:
    """Find every proof in a text, in any encoding, among anything else.

    Args:
        text: at most 4 MiB characters are looked through, and 256 places tried.

    Returns:
        What decodes, and what looks like a proof and does not, each in the order of the text.
    """
    found: list[Found] = []
    broken: list[Broken] = []
    for at, taken in _candidates(text[:MAX_TEXT]):
        if isinstance(taken, str):
            broken.append(Broken(at, taken))
        else:
            found.append(Found(taken, at))
    return found, broken


def find_proof(text: str) -> Envelope:
    """Find the one proof in a text, for example in a paste.

    Raises:
        EncodingError: there is none, several different ones, or what is there is damaged; says where.
    """
    found, broken = find_proofs(text)
    different = {encode_envelope(one.envelope) for one in found}
    if len(different) > 1:
        raise EncodingError(f"there are {len(different)} different KEZ proofs here: give one of them")
    if found:
        return found[0].envelope
    if broken:
        raise EncodingError(f"a KEZ proof is here ({_place(text, broken[0].at)}), but {broken[0].why}")
    if fence := _FENCE.search(text[:MAX_TEXT]):
        raise EncodingError(
            f"a fence labelled kez is here ({_place(text, fence.start())}), but no proof is in it"
        )
    raise EncodingError("no KEZ proof is here: one begins with kez:z1: or is a JSON object with `kez`")


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"line {line}, column {at - (text.rfind(chr(10), 0, at) + 1) + 1}"


def _candidates(text: str) -> Iterator[tuple[int, Envelope | str]]:
    """Each place that looks like a proof, with its envelope or what is wrong."""
    starts = sorted(
        [(m.start(), m) for m in _first(_COMPACT, text)] + [(m.start(), m) for m in _first(_OBJECT, text)],
        key=lambda one: one[0],
    )
    end = cut = 0
    for at, match in starts[:MAX_CANDIDATES]:
        if at < end:
            continue  # inside what was taken already
        if match.re is _COMPACT:
            end, taken = _compact(text, match)
        elif cut < MAX_CUT:
            end, taken = _object(text, at)
            cut += end == at + 1
        else:
            continue
        yield at, taken


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for number, match in enumerate(pattern.finditer(text)):
        if number == MAX_CANDIDATES:
            return
        yield match


def _compact(text: str, match: re.Match[str]) -> tuple[int, Envelope | str]:
    """A compact proof; where a TXT record's strings meet, it goes on in the next one."""
    end, packed = match.end(), match[1]
    while seam := _TXT_SEAM.match(text, end):
        more = re.compile(r"[A-Za-z0-9_-]*={0,2}").match(text, seam.end())
        assert more is not None
        end, packed = more.end(), packed + more[0]
        if len(packed) > 2 * MAX_BYTES:
            break
    return end, _decode_compact(packed)


def _decode_compact(packed: str) -> Envelope | str:
    if not packed:
        return "nothing follows kez:z1:"
    try:
        frame = decode_base64url(packed, max_bytes=2 * MAX_BYTES)
    except EncodingError:
        return "its base64url is damaged: was it pasted whole?"
    try:
        data = decompress(frame, max_bytes=MAX_BYTES)
    except EncodingError:
        return "its zstd frame is cut or damaged: was it pasted whole?"
    return _decode(data)


def _decode(data: bytes) -> Envelope | str:
    try:
        return decode_envelope(data)
    except CanonicalError as error:
        return f"its JSON is not good: {error}"
    except EnvelopeError as error:
        return f"it is not a signature envelope: {error}"


def _object(text: str, start: int) -> tuple[int, Envelope | str]:
    """The JSON object that begins there."""
    depth = 0
    for token in _TOKEN.finditer(text, start, start + MAX_BYTES):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}":
            depth -= 1
            if not depth:
                return token.end(), _decode(text[start : token.end()].encode("utf-8", "replace"))
    if start + MAX_BYTES < len(text):
        return start + 1, f"it has more than {MAX_BYTES} bytes"
    return start + 1, "its JSON is cut: was it pasted whole?"

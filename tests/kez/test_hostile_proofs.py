"""Pages that want to cost time, memory or trust: every one is decided on within bounds, and none passes for a proof.

A page of a stranger has at most 1 MiB, a paste 4 MiB characters. Bounds are of processor time and of memory of
the process, generous enough for a slow machine, and far below what anything quadratic would need.
"""

import json
import resource
import time

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.claims import claim_payload
from kezd.kez.encodings import compress, encode_base64url
from kezd.kez.envelope import decode_envelope, encode_envelope
from kezd.kez.errors import CanonicalError, EncodingError, IdentifierError
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.kez.keys import Seed
from kezd.kez.proofs import MAX_CANDIDATES, MAX_TEXT, encode_compact, encode_markdown, find_proof, find_proofs
from kezd.kez.signing import Signer
from kezd.kez.verification import Place, Status, judge
from kezd.net.fetch.channel import text_of_html, texts_in

NOW = 1_767_225_600
MIB = 1024 * 1024
SECONDS = 2.0
MEMORY = 64 * MIB
ALICE, MALLORY = Signer(Seed(b"\x0a" * 32)), Signer(Seed(b"\x0b" * 32))
SUBJECT = Identifier("github", "alice")
GOOD = ALICE.claim(claim_payload(ALICE.public, "github:alice", NOW))
COMPACT = encode_compact(GOOD)
CUT = COMPACT[:-20]


def filled(piece, size=MIB):
    return piece * (size // len(piece))


def bomb(size=512, *, says_its_size=True):
    """A small frame that becomes so many MiB; made in pieces, so that the peak of this process stays its own."""
    stream = (
        zstandard.ZstdCompressor().compressobj(size=size * MIB)
        if says_its_size
        else zstandard.ZstdCompressor().compressobj()
    )
    data = b"".join(stream.compress(bytes(MIB)) for _ in range(size)) + stream.flush()
    return "kez:z1:" + encode_base64url(data)


PAGES = {
    "nothing": filled("lorem ipsum "),
    "empty compacts": filled("kez:z1:"),
    "cut compacts": filled(CUT + " "),
    "one endless compact": "kez:z1:" + filled("A"),
    "beginnings of objects": filled('{"kez":'),
    "nested objects": filled('{"payload":{') + filled("}"),
    "open strings": filled('{"kez":"'),
    "escaped quotes": '{"kez":"' + filled('\\"'),
    "backslashes": '{"kez":"' + filled("\\"),
    "objects that never end": filled('{"kez": {"a": "b", '),
    "spaces in front of a colon": filled('{ "kez"' + " " * 60),
    "seams of TXT strings": 'kez:z1:AA"' + filled('" "'),
    "wide seams": 'kez:z1:AA"' + filled(" ") + '"',
    "fences": filled("```kez\n"),
    "tildes": filled("~"),
    "tags that never close": filled("<br "),
    "brackets": filled("<"),
    "entities": filled("&lt;&#x6b;ez:z1:"),
    "bombs": (bomb() + " ") * 30,
    "bombs without a size": (bomb(says_its_size=False) + " ") * 30,
    "many good ones": filled(COMPACT + "\n"),
    "many good objects": filled(encode_envelope(GOOD).decode() + "\n"),
    "astral letters": filled("\U0001d4f4\U0001d4ee\U0001d503:z1:"),
}


def bounded(work):
    """Run it, and hold its time and memory to the bounds."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    found = work()
    assert time.process_time() - begun < SECONDS
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < MEMORY
    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_decided_on_within_bounds(name):
    page = PAGES[name]
    found, broken = bounded(lambda: find_proofs(page))
    assert len(found) + len(broken) <= 2 * MAX_CANDIDATES
    assert all(one.envelope == GOOD for one in found)
    assert bool(found) == name.startswith("many good")
    bounded(lambda: text_of_html(page))
    judged = judge(SUBJECT, ALICE.public.primary, [Place("https://a.example", page)], NOW)
    assert (judged.status is Status.VALID) == name.startswith("many good")
    assert len(judged.reason) <= 300


@pytest.mark.parametrize(
    "name", ["cut compacts", "beginnings of objects", "nested objects", "fences", "nothing"]
)
def test_a_paste_of_four_times_that_costs_four_times_that(name):
    page = PAGES[name] * 5
    begun = time.process_time()
    with pytest.raises(EncodingError):
        find_proof(page)
    assert time.process_time() - begun < SECONDS


def test_a_proof_behind_a_few_others_is_found_and_behind_too_many_is_not():
    """A bound is a bound: whoever fills their own page with rubbish hides their own proof, nobody else's."""
    assert [one.envelope for one in find_proofs(f"{CUT} " * (MAX_CANDIDATES - 1) + COMPACT)[0]] == [GOOD]
    assert find_proofs(f"{CUT} " * (MAX_CANDIDATES + 1) + COMPACT)[0] == []
    assert find_proofs(" " * MAX_TEXT + COMPACT)[0] == []


@pytest.mark.parametrize("text", [bomb(), bomb(says_its_size=False)])
def test_a_bomb_is_an_error_and_not_memory(text):
    def work():
        with pytest.raises(EncodingError) as caught:
            find_proof(text)
        return str(caught.value)

    assert "zstd" in bounded(work)


def test_a_bomb_of_exactly_too_much():
    whole = encode_envelope(GOOD)
    fits = b" " * (65_536 - len(whole)) + whole
    assert find_proof("kez:z1:" + encode_base64url(compress(fits))) == GOOD
    with pytest.raises(EncodingError):
        find_proof("kez:z1:" + encode_base64url(compress(b" " + fits)))


@pytest.mark.parametrize("depth", [20, 33, 1000, 9_000])
def test_nested_json(depth):
    nested = '{"a":' * depth + "1" + "}" * depth
    text = encode_envelope(GOOD).decode().replace('"subject":', f'"more":{nested},"subject":')
    if depth > 32:
        with pytest.raises(CanonicalError):
            decode_envelope(text.encode())
    judged = judge(SUBJECT, None, [Place("", text)], NOW)
    assert judged.status is Status.INVALID
    assert isinstance(texts_in(json.loads('{"a":' * 500 + '"x"' + "}" * 500)), list)


# --- names that look like others --------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "github:\u0430lice",  # Cyrillic a
        "github:alic\u0435",
        "github:\uff41lice",  # full width
        "github:alice\u200b",
        "github:alice\u202e",
        "github:al\u00adice",
        "dns:ex\u0430mple.com",
        "dns:example\u3002com",  # ideographic full stop, which IDNA maps to a dot
        "dns:example.com\u0301",
        "web:ex\u00e4mple.com",
        "ap:alice@\u0435xample.com",
        "ap:\u0430lice@example.com",
        "bluesky:alice.b\u0455ky.social",
        "g\u0456thub:alice",
        "github\uff1aalice",
        "nostr:npub1\u0430",
        "github:alice\x00",
        "github:alice\n",
        "did:x\u2066y",
        "ens:a\ud800",
    ],
)
def test_look_alikes_of_known_systems_are_no_identifiers(text):
    try:
        taken = str(parse_identifier(text))
    except IdentifierError as error:
        told = str(error).replace("\u2026", "")
    else:
        told = taken
        assert taken != text, "only what is brought into another form, which a signed claim may not be"
    assert told.isascii()


@pytest.mark.parametrize("text", ["KEZ:Z1:", "kez\uff1az1:", "ke\u200bz:z1:", "\u043aez:z1:"])
def test_look_alikes_of_the_prefix_are_no_proofs(text):
    assert find_proofs(text + COMPACT.removeprefix("kez:z1:")) == ([], [])


def test_somebody_elses_proof_on_ones_page_is_not_ones_own():
    theirs = MALLORY.claim(claim_payload(MALLORY.public, "github:mallory", NOW))
    for copied, expected in ((theirs, Status.SUBJECT_MISMATCH), (GOOD, Status.VALID)):
        place = Place("https://a.example", encode_markdown(copied))
        assert judge(SUBJECT, ALICE.public.primary, [place], NOW).status is expected
    stolen = MALLORY.claim(claim_payload(MALLORY.public, "github:alice", NOW))
    place = Place("https://a.example", encode_markdown(stolen))
    assert judge(SUBJECT, ALICE.public.primary, [place], NOW).status is Status.PRIMARY_MISMATCH


def test_a_thousand_proofs_of_others_do_not_hide_behind_one_that_fails():
    page = "\n".join(
        encode_compact(MALLORY.claim(claim_payload(MALLORY.public, "github:alice", NOW + number))) for number in range(300)
    )  # fmt: skip
    begun = time.process_time()
    judged = judge(SUBJECT, ALICE.public.primary, [Place("https://a.example", page)], NOW)
    assert judged.status is Status.PRIMARY_MISMATCH
    assert time.process_time() - begun < SECONDS


# --- HTML of a profile ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "html",
    [
        f"<p>hello</p><p>{COMPACT}</p>",
        f"<p>hello<br/>{COMPACT}<br>bye</p>",
        f'<div class="x"><span>{COMPACT[:60]}</span>{COMPACT[60:]}</div>',
        f'<a href="https://a.example/?q=%22">{COMPACT}</a>',
        "".join(f"&#{ord(c)};" for c in COMPACT),
        COMPACT.replace(":", "&colon;"),
        f"<script>alert(1)</script>{COMPACT} <img src=x onerror=alert(1)>",
    ],
)
def test_a_proof_in_html_is_found(html):
    assert find_proof(text_of_html(html)) == GOOD


def test_html_of_json_is_found():
    text = encode_envelope(GOOD).decode()
    escaped = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    assert find_proof(text_of_html(f"<p>{escaped}</p>")) == GOOD


@given(st.text(alphabet="<>/&;#xbrp\"'= \nkez:z1", max_size=300))
def test_any_html_has_a_text(html):
    text = text_of_html(html)
    assert len(text) <= 2 * len(html)
    find_proofs(text)

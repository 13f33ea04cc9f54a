"""Keys, claims, proofs and sigchains by `kez` alone: no daemon, no network."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kez_cli import states
from kez_cli.main import build_parser
from kez_cli.states import Row, exit_code, table
from kez_cli.terminal import Terminal, age, plain
from kezd.client import offline
from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.identifiers import Identifier
from kezd.kez.keys import Seed
from kezd.kez.nostr_keys import NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.sigchain import (
    Chain,
    add,
    encode_bundle,
    encode_jsonl,
    event_from_envelope,
    event_payload,
    revoke,
    rotate,
)
from kezd.kez.signing import Signer
from kezd.kez.verification import Status
from kezd.testing.peer_driver import BESIDE_PYTHON

NOW = 1_767_225_600
ART = " ".join(["abandon"] * 23 + ["art"])
ART_PRIMARY = "ed25519:3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"


def kez(*arguments, stdin="", **environ):
    return subprocess.run(
        [str(BESIDE_PYTHON / "kez"), *arguments], capture_output=True, text=True, timeout=60, input=stdin,
        check=False,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "KEZD_HOME": "/nonexistent", **environ},
    )  # fmt: skip


def good(*arguments, stdin=""):
    done = kez(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def grown(signer, *steps):
    chain = Chain.empty(signer.public)
    for op, members in steps:
        envelope = signer.sigchain_event(event_payload(chain, op, members, NOW))
        chain = chain.append(event_from_envelope(envelope))
    return chain


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "words"
    path.write_text(ART + "\n")
    return str(path)


# --- keys ------------------------------------------------------------------------------


def test_words_make_the_primary_that_the_protocol_says():
    assert good("identity", "from-mnemonic", "-", stdin=f"  {ART.upper()} \n") == ART_PRIMARY + "\n"
    twelve = " ".join(["abandon"] * 11 + ["about"])
    seed = "09451c0f06588db78205e32a793536e15ae263c8f9ee6d14f5c6fd82b8bd20da"
    expected = Signer(Seed(bytes.fromhex(seed))).public.primary
    told = json.loads(good("identity", "from-mnemonic", "-", "--json", stdin=twelve))
    assert told == {"primary": expected}


@pytest.mark.parametrize("flags", [[], ["--nostr"], ["--words", "12"]])
def test_a_new_key_is_shown_once_or_written(tmp_path, flags):
    shown = json.loads(good("identity", "new", "--json", *flags))
    secret = shown.get("nsec") or " ".join(shown["words"])
    assert good("identity", "from-mnemonic", "-", stdin=secret).strip() == shown["primary"]
    path = tmp_path / "key"
    done = kez("identity", "new", *flags, "--out", str(path))
    assert done.returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() not in done.stdout + done.stderr
    assert good("identity", "from-mnemonic", str(path)).strip() in done.stdout
    assert kez("identity", "new", *flags, "--out", str(path)).returncode == 2, "nothing is overwritten"


def test_new_words_alone():
    words = good("identity", "mnemonic").split()
    assert len(words) == 24
    assert good("identity", "mnemonic").split() != words
    assert len(json.loads(good("identity", "mnemonic", "--words", "12", "--json"))["words"]) == 12


@pytest.mark.parametrize("text", ["", "zebra " * 23 + "zzzzz", "nsec1qqqq", ART.replace("art", "zoo")])
def test_what_is_no_secret_is_refused_and_not_repeated(text):
    done = kez("identity", "from-mnemonic", "-", "--json", stdin=text)
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["slug"] == "wrong_words"
    assert "zebra" not in done.stderr
    assert "qqqq" not in done.stderr


def test_a_secret_is_not_in_a_repr():
    assert "abandon" not in repr(offline.key_of_entropy(bytes(32)))
    with pytest.raises(RequestError):
        offline.key_of_entropy(bytes(7))
    with pytest.raises(RequestError):
        offline.key_of_nostr_secret(bytes(32))


# --- claims ----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", offline.ENCODINGS)
def test_a_claim_in_every_encoding_and_back(tmp_path, key, encoding):
    text = good("claim", "create", "dns:Example.com", "--format", encoding, "--key", key)
    path = tmp_path / "page"
    path.write_text(f"<p>about me</p>\n{text}\n")
    proof = json.loads(good("verify", "file", str(path), "--json"))["proofs"][0]
    assert (proof["status"], proof["subject"], proof["primary"]) == ("valid", "dns:example.com", ART_PRIMARY)
    assert proof["line"] >= 2
    told = kez("verify", "file", "-", stdin=text)
    assert "without the network" in told.stderr
    assert "kez verify dns:example.com" in told.stderr


def test_claim_dns_is_a_zone_line(key):
    line = good("claim", "dns", "example.com", "--words-file", key)
    assert line.startswith('_kez.example.com. 3600 IN TXT ( "kez:z1:')


def test_a_claim_into_a_file_and_with_an_end(tmp_path, key):
    out = tmp_path / "kez.md"
    arguments = ("claim", "create", "github:alice", "--format", "markdown", "--key", key, "--out", str(out))
    assert "github:alice" in good(*arguments, "--expires", "30d")
    assert out.read_text().startswith("# KEZ proof")
    assert kez(*arguments).returncode == 2, "nothing is overwritten"
    proof = json.loads(good("verify", "file", str(out), "--json"))["proofs"][0]
    assert proof["expires_at"] - proof["created_at"] == 30 * 86400


def test_a_nostr_key_claims():
    secret = json.loads(good("identity", "new", "--nostr", "--json"))
    made = json.loads(good("claim", "create", "github:alice", "--key", "-", "--json", stdin=secret["nsec"]))
    assert made["primary"] == secret["primary"]
    assert json.loads(good("verify", "file", "-", "--json", stdin=made["encodings"]["compact"]))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["github:alice", "--format", "dns"], "names a domain"),
        (["alice"], "system:name"),
        (["github:-"], "GitHub name"),
        ([ART_PRIMARY], "claim itself"),
        (["dns:m\u00fcnchen.example"], "ASCII"),
    ],
)
def test_what_cannot_be_claimed_is_told(key, arguments, told):
    done = kez("claim", "create", *arguments, "--key", key)
    assert done.returncode == 2
    assert told in done.stderr


# --- verify ----------------------------------------------------------------------------


def test_exit_codes_of_verify_file(tmp_path, key):
    text = good("claim", "create", "github:alice", "--format", "compact", "--key", key)
    assert kez("verify", "file", "-", stdin="nothing here").returncode == 5
    assert kez("verify", "file", "-", stdin=text[:200]).returncode == 8
    assert "pasted whole" in kez("verify", "file", "-", stdin=text[:200]).stdout
    forged = json.loads(good("claim", "create", "github:alice", "--key", key))
    forged["payload"]["subject"] = "github:mallory"
    assert kez("verify", "file", "-", stdin=json.dumps(forged)).returncode == 8
    assert kez("verify", "file", str(tmp_path / "none")).returncode == 2
    assert kez("verify", "file").returncode == 2
    assert kez("verify", "github:alice", "page").returncode == 2
    both = f"{text} and {json.dumps(forged)}"
    done = kez("verify", "file", "-", stdin=both)
    assert done.returncode == 8
    assert "holds" in done.stdout


def test_expired_and_revoked(tmp_path, key):
    made = offline.make_claim(ART, "github:alice", NOW, 60)
    text = made.encodings["markdown"]
    assert [check.status for check in offline.check_proofs(text, NOW + 59)] == [Status.VALID]
    assert [check.status for check in offline.check_proofs(text, NOW + 60)] == [Status.EXPIRED]
    assert kez("verify", "file", "-", stdin=text).returncode == 8
    chain = tmp_path / "chain.jsonl"
    signer = Signer(Seed(bytes(32)))
    chain.write_bytes(
        encode_jsonl(grown(signer, ("add", add("github:alice")), ("revoke", revoke("github:alice"))))
    )
    text = good("claim", "create", "github:alice", "--key", key)
    done = kez("verify", "file", "-", "--chain", str(chain), "--json", stdin=text)
    assert done.returncode == 8
    assert json.loads(done.stdout)["proofs"][0]["status"] == "revoked"
    chain.write_bytes(encode_jsonl(grown(Signer(Seed(b"\1" * 32)), ("add", add("github:alice")))))
    done = kez("verify", "file", "-", "--chain", str(chain), "--json", stdin=text)
    assert json.loads(done.stdout)["proofs"][0]["status"] == "primary_mismatch"


def test_an_event_of_a_chain_is_no_proof(tmp_path):
    path = tmp_path / "chain.jsonl"
    path.write_bytes(encode_jsonl(grown(Signer(Seed(bytes(32))), ("add", add("github:alice")))))
    done = kez("verify", "file", str(path))
    assert done.returncode == 8
    assert "kez sigchain verify" in done.stdout


def test_look_alikes_are_written_out(key):
    text = good("claim", "create", "ens:\u0430lice.eth", "--key", key)  # a Cyrillic letter
    done = kez("verify", "file", "-", stdin=text)
    assert "ens:\\u{430}lice.eth" in done.stdout
    assert "outside ASCII" in done.stderr
    assert done.stdout.removeprefix("\u2713").isascii()


def test_a_proof_is_decided_on_in_time_and_memory(key):
    text = good("claim", "create", "github:alice", "--format", "compact", "--key", key)
    page = "kez:z1:AAAA " * 200_000 + text
    begun = time.monotonic()
    done = kez("verify", "file", "-", stdin=page)
    assert done.returncode == 8
    assert time.monotonic() - begun < 10
    assert len(done.stdout) < 100_000


# --- sigchains -------------------------------------------------------------------------


def test_a_sigchain_file_and_a_bundle(tmp_path):
    signer = Signer(Seed(bytes(32)))
    chain = grown(signer, ("add", add("github:alice")), ("add", add("dns:a.example")), ("revoke", revoke("dns:a.example")))  # fmt: skip
    for name, data in (("jsonl", encode_jsonl(chain)), ("bundle", encode_bundle(chain).encode() + b"\n")):
        path = tmp_path / name
        path.write_bytes(data)
        told = json.loads(good("sigchain", "verify", str(path), "--json"))
        assert (told["genesis"], told["head"]) == (ART_PRIMARY, chain.head.hash)
        assert [event["op"] for event in told["events"]] == ["add", "add", "revoke"]
        assert (told["subjects"][0]["subject"], told["revoked"]) == ("github:alice", ["dns:a.example"])
        text = good("sigchain", "verify", str(path), "--limit", "1")
        assert "3 events" in text
        assert "github:alice" in text
    assert kez("sigchain", "verify", str(path), "--primary", "ed25519:" + "11" * 32).returncode in (2, 8)
    assert good("sigchain", "verify", str(path), "--primary", ART_PRIMARY)
    assert kez("sigchain", "verify", str(path), "--primary", "alice").returncode == 2


def test_a_damaged_chain_says_where(tmp_path):
    data = encode_jsonl(grown(Signer(Seed(bytes(32))), ("add", add("github:a")), ("add", add("github:b"))))
    lines = data.splitlines(keepends=True)
    for broken in (lines[1], lines[0] + lines[0], data.replace(b"github:b", b"github:c"), data[:-1], b"{}\n"):
        with pytest.raises(TrustError) as caught:
            offline.check_chain(broken)
        assert caught.value.slug is Slug.CHAIN_INVALID
        assert caught.value.exit_code == 8
    done = kez("sigchain", "verify", "-", stdin="")
    assert done.returncode == 5
    with pytest.raises(TrustError):
        offline.check_chain("kez:zc1:\u00e4".encode())


def test_rotated_and_nostr_chains():
    old, new = Signer(Seed(bytes(32))), Signer(Seed(b"\2" * 32))
    chain = grown(old, ("add", add("github:alice")))
    consent = new.rotate_consent(event_payload(chain, "rotate", rotate(new.public), NOW))
    payload = event_payload(chain, "rotate", rotate(new.public, consent), NOW)
    chain = chain.append(event_from_envelope(old.sigchain_event(payload)))
    told = offline.check_chain(encode_jsonl(chain))
    assert (told.genesis, told.current) == (old.public.primary, new.public.primary)
    assert told.keys == (old.public.primary, new.public.primary)
    assert told.events[-1].about == new.public.primary
    nostr = NostrSigner(NostrSecret(b"\3" * 32))
    told = offline.check_chain(encode_jsonl(grown(nostr, ("add", add("github:alice")))))
    assert told.genesis == nostr.public.primary


# --- what it costs, and how it looks ---------------------------------------------------


def test_importing_the_pure_functions_costs_nothing():
    program = (
        "import sys, kezd.client.offline, kez_cli.claims, kez_cli.verify, kez_cli.who, kez_cli.own_keys, kez_cli.chain;"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"nacl", "cryptography", "coincurve", "zstandard", "msgspec", "mnemonic", "trio", "httpx"}
    assert not heavy & set(done.stdout.split())


def test_every_status_has_a_look_and_could_not_check_has_its_own():
    assert set(states.STATES) == {status.value for status in Status}
    could_not = states.STATES["unreachable"]
    for name, state in states.STATES.items():
        if name != "unreachable":
            assert (state.symbol, state.ascii, state.words, state.paint) != (
                could_not.symbol, could_not.ascii, could_not.words, could_not.paint
            )  # fmt: skip
            assert state.symbol != could_not.symbol
            assert state.paint != could_not.paint
    assert exit_code(["valid", "unreachable"]) == 7
    assert exit_code(["valid", "unreachable", "revoked"]) == 8
    assert exit_code(["valid", "not_found"]) == 5
    assert exit_code(["valid"]) == exit_code([]) == 0
    assert exit_code(["of a later year"]) == 7


class Screen(Terminal):
    """So many columns."""

    def __init__(self, columns, *, color=False):
        super().__init__(color=color)
        self.lines, self._width = [], columns

    @property
    def _columns(self):
        return self._width

    def line(self, text=""):
        self.lines.append(text)


ROWS = [
    Row("github:alice", "valid", "published", 1_000_000, 1_000_000),
    Row("ap:alice@social.example", "unreachable", "it did not answer within 10 s", 500_000, 400_000, "valid"),
    Row("dns:alice.example", "revoked", "the sigchain takes it back", 1_000_000, 100_000),
    Row("web:alice.example", None),
    Row("ens:\u0430lice.eth\x1b[2J", "invalid", "bad \x1b[2J", 1_000_000),
]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_table_fits_and_tells(columns):
    screen = Screen(columns)
    table(screen, ROWS, 1_300_000)
    text = "\n".join(screen.lines)
    assert all(len(line) <= columns for line in screen.lines)
    assert all(line == line.rstrip() for line in screen.lines)
    for words in ("holds", "could not check", "taken back", "not checked yet", "before: holds", "5 min ago"):
        assert words in text
    assert "\x1b" not in text
    assert "ens:\\u{430}lice.eth\\u{1b}[2J" in text


def test_the_table_has_colours():
    screen = Screen(80, color=True)
    table(screen, ROWS, 1_300_000)
    by_subject = {
        row.subject: next(line for line in screen.lines if plain(row.subject) in line) for row in ROWS
    }
    assert "\x1b[32m" in by_subject["github:alice"]
    assert "\x1b[33m" in by_subject["ap:alice@social.example"]
    assert "\x1b[31m" not in by_subject["ap:alice@social.example"]
    assert "\x1b[31m" in by_subject["dns:alice.example"]


def test_a_screen_without_unicode(key):
    text = good("claim", "create", "github:alice", "--key", key)
    done = kez("verify", "file", "-", stdin=text, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.stdout.startswith("+ github:alice")


def test_ages():
    at = 10_000 * 86_400_000
    day = 86_400
    ages = {0: "just now", 59: "just now", 60: "1 min ago", 3600: "1 h ago", 47 * 3600: "47 h ago"}
    ages |= {3 * day: "3 days ago", 90 * day: "3 months ago", 900 * day: "2 years ago"}
    assert {seconds: age(at - seconds * 1000, at) for seconds in ages} == ages
    assert age(None, at) == "never"
    assert age(at + 5000, at) == "just now"


def test_plain_is_ascii():
    assert plain("a\u202eb\u0430") == "a\\u{202e}b\\u{430}"
    assert plain(Identifier("github", "alice")) == "github:alice"


def test_every_command_of_the_recipe_parses():
    page = Path(__file__).parents[2] / "docs" / "recipes" / "accounts.md"
    lines = [line.strip() for line in page.read_text().splitlines() if line.startswith("    kez ")]
    assert len(lines) > 15
    for line in lines:
        assert build_parser().parse_args(line.split()[1:]).command

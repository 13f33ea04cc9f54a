"""No secret stands in clear in any file: not the seed in any form, not the words, not a text."""

import base64
import secrets
from pathlib import Path

import pytest

from kezd.kez.mnemonic import words_to_seed
from kezd.kez.nkeys import Prefix, encode_seed
from kezd.testing.people import Person, World, befriend
from kezd.testing.plaintext import (
    Found,
    Needle,
    bytes_needles,
    search,
    seed_needles,
    text_needles,
    words_needles,
)


def needles_of(person: Person, texts: list[str]) -> list[Needle]:
    needles = [*seed_needles(words_to_seed(person.words).reveal()), *words_needles(person.words)]
    for text in texts:
        needles += text_needles("text", text)
    return needles


@pytest.mark.parametrize("words", [12, 24])
def test_nothing_is_found(world: World, words: int) -> None:
    home = world.home()
    people = [world.person(name, home.url) for name in ("alice", "bob")]
    for person in people:
        person.make_identity(words)
        person.register()
    befriend(*people)
    alice, bob = people
    texts = [f"a very private sentence {secrets.token_hex(8)}" for _ in range(4)]
    away = f"kept at the broker {secrets.token_hex(8)}"
    sent = [alice.send("@bob", text) for text in texts]
    bob.wait_for("@alice", sent)
    answers = [bob.send("@alice", text[::-1]) for text in texts]
    alice.wait_for("@bob", answers)
    assert alice.call("identity.words", passphrase=alice.peer.passphrase)["words"] == alice.words
    bob.peer.stop()
    late = alice.send("@bob", away)
    alice.wait_states([late], {"accepted"})

    everything = [*texts, *(text[::-1] for text in texts), away]
    needles = [needle for person in people for needle in needles_of(person, everything)]
    needles += text_needles("passphrase", alice.peer.passphrase)
    roots = [world.directory / name for name in ("home0", "alice", "bob")]
    files = {path.name for path in world.directory.rglob("*") if path.is_file()}
    assert {"peer.db", "peer.db-wal", "vault.json", "kezd.log", "nats.log", "home.db"} <= files, sorted(files)
    assert search(roots, needles) == [], "while it runs, WAL files and the broker's store included"
    alice.peer.kill()
    assert search(roots, needles) == [], "after kill -9"
    home.stop()
    assert search(roots, needles) == [], "after a clean stop"
    (roots[0] / "known").write_text(f"id {late}")
    assert search(roots, bytes_needles("id", late.encode())), "the search works on this very tree"


def planted(tmp_path: Path, content: bytes, needles: list[Needle]) -> list[Found]:
    path = tmp_path / "deep" / "file.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(secrets.token_bytes(1000) + content + secrets.token_bytes(1000))
    return search([tmp_path], needles)


WORDS = (
    "legal", "winner", "thank", "year", "wave", "sausage", "worth", "useful", "legal", "winner", "thank", "yellow",
)  # fmt: skip


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_the_search_finds_each_form_of_a_seed(tmp_path: Path, offset: int) -> None:
    seed = secrets.token_bytes(32)
    needles = seed_needles(seed)
    shifted = secrets.token_bytes(offset) + seed + secrets.token_bytes(offset)
    for content in (
        seed, seed.hex().encode(), seed.hex().upper().encode(), seed.hex(":").encode(),
        base64.b64encode(shifted), base64.urlsafe_b64encode(shifted), encode_seed(Prefix.USER, seed).encode(),
        repr(list(seed)).encode(),
    ):  # fmt: skip
        assert planted(tmp_path, content, needles), content
    assert planted(tmp_path, secrets.token_bytes(32), needles) == []


@pytest.mark.parametrize("between", [" ", "\n", "  ", ",", '", "', "\\n", "", "\t", " 2. ", "-", "\r\n"])
@pytest.mark.parametrize("first", [0, 4, 9])
def test_the_search_finds_three_words(tmp_path: Path, between: str, first: int) -> None:
    needles = words_needles(WORDS)
    run = WORDS[first : first + 3]
    assert planted(tmp_path, between.join(run).encode(), needles)
    assert planted(tmp_path, between.join(run).upper().encode(), needles)
    assert planted(tmp_path, between.join(run[:2]).encode(), needles) == []
    assert planted(tmp_path, b" ".join(word.encode() for word in reversed(run)), needles) == []


def test_the_search_finds_a_text_and_a_name(tmp_path: Path) -> None:
    needles = text_needles("text", "grüße aus Köln")
    for content in (
        "grüße aus Köln".encode(),
        "grüße aus Köln".encode("utf-16-le"),
        base64.b64encode("grüße aus Köln".encode()),
    ):
        assert planted(tmp_path, content, needles)
    (tmp_path / "deep" / "file.bin").unlink()
    (tmp_path / "x grüße aus Köln.txt").write_bytes(b"")
    assert search([tmp_path], needles)

"""A backup is made while messages flow, restored elsewhere, and the conversation goes on: nothing lost or doubled."""

import contextlib
import json
import os
import stat
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kezd.errors import KezdError, Slug
from kezd.testing.people import Person, World, wait_until

KEZ = str(Path(sys.executable).parent / "kez")
PASSPHRASE = "six words that nobody has guessed yet"


def agreeing(person: Person, method: str, **params: Any) -> dict[str, Any]:
    """A call of somebody who says yes when they are asked."""
    with person.peer.client(timeout=30) as client:
        client.decide = lambda _: True
        return client.call(method, **params)


def make_backup(person: Person, path: Path, **params: Any) -> dict[str, Any]:
    return agreeing(person, "backup.create", path=str(path), passphrase=PASSPHRASE, **params)


def restore_backup(world: World, path: Path, name: str) -> Person:
    """An empty second machine that gets the backup."""
    second = world.person(name, world.homes[0].url)
    restored = second.call(
        "backup.restore",
        path=str(path),
        passphrase=PASSPHRASE,
        **({"vault_passphrase": second.peer.passphrase} if second.peer.vault_arguments else {}),
    )
    assert restored["state"] == "superseded", "it waits for the person to say which one is live"
    return second


def wait_superseded(person: Person) -> None:
    wait_until(f"{person.name} is superseded", lambda: person.call("identity.show")["state"] == "superseded")


def seen_once(messages: list[dict[str, Any]]) -> list[str]:
    ids = [message["id"] for message in messages]
    assert len(ids) == len(set(ids))
    return ids


def test_a_backup_under_traffic_goes_on_elsewhere(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    path = world.directory / "alice.backup"
    stop, sent, received = threading.Event(), [], []
    other = Person("bob", bob.peer)

    def talk() -> None:
        n = 0
        while not stop.is_set() or n < 40:
            received.append(other.send("@alice", f"to alice {n}"))
            n += 1
        other.hang_up()

    talking = threading.Thread(target=talk)
    talking.start()
    for n in range(20):
        sent.append(alice.send("@bob", f"to bob {n}"))
    made = make_backup(alice, path)
    sent += [alice.send("@bob", f"to bob {n}") for n in range(20, 40)]
    stop.set()
    talking.join()
    bob.wait_for("@alice", sent)
    wait_until("alice has it all", lambda: set(alice.received("@bob")) >= set(received))
    bob.wait_states(received)

    assert made["contents"]["handle"] == "alice@kez.test"
    assert made["bytes"] == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in world.directory.glob("*.part")] == []
    found = bob.call("backup.verify", path=str(path), passphrase=PASSPHRASE)
    assert found["contents"] == made["contents"], "anybody with the passphrase can look, importing nothing"
    assert 20 <= found["contents"]["messages"] <= 40 + len(received)

    first = alice.history("@bob")
    second = restore_backup(world, path, "alice-2")
    assert second.call("identity.show")["reason"]
    history = second.history("@bob")
    assert len(history) == made["contents"]["messages"], "complete up to the backup"
    ids = seen_once(history)
    assert set(ids) <= set(seen_once(first))
    texts = {m["id"]: m["text"] for m in first}
    assert all(m["text"] == texts[m["id"]] for m in history)
    assert alice.call("identity.show")["state"] == "active", "restoring alone takes nothing away"

    assert agreeing(second, "identity.restore")["state"] == "active"
    second.wait_online()
    wait_superseded(alice)
    before = set(bob.received("@alice"))
    more = [second.send("@bob", f"from the new machine {n}") for n in range(10)]
    wait_until("bob gets them", lambda: set(bob.received("@alice")) >= before | set(more))
    assert set(bob.received("@alice")) == before | set(more), "and nothing a second time"
    assert [i for i in bob.received("@alice") if i in more] == more, "in order"
    assert not [m for m in bob.history("@alice") if m["missing_before"]], (
        "a stream that was gone on with has gaps"
    )
    second.wait_states(more)
    known = set(second.received("@bob"))
    answers = [bob.send("@alice", f"to the new machine {n}") for n in range(10)]
    wait_until("the answers arrive", lambda: set(second.received("@bob")) >= known | set(answers))
    assert set(second.received("@bob")) == known | set(answers)
    bob.wait_states(answers)
    seen_once(second.history("@bob"))
    assert bob.call("contacts.show", contact="@alice").get("alarm") is None


def test_what_waited_in_the_backup_is_sent_once(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    bob.peer.stop()
    world.homes[0].stop()
    alice.wait_link("offline", "connecting")
    queued = [alice.send("@bob", f"queued {n}") for n in range(5)]
    path = world.directory / "alice.backup"
    make_backup(alice, path)
    world.homes[0].restart()
    alice.wait_online()
    alice.wait_states(queued[:1], {"accepted"})
    alice.wait_states(queued, {"accepted"})
    alice.peer.kill()
    second = restore_backup(world, path, "alice-2")
    agreeing(second, "identity.restore")
    second.wait_online()
    bob.peer.start()
    bob.wait_for("@alice", queued)
    second.wait_states(queued)
    last = second.send("@bob", "once more")
    bob.wait_for("@alice", [*queued, last])


def test_a_killed_restore_is_all_or_nothing(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", f"{n}") for n in range(50)]
    bob.wait_for("@alice", sent)
    path = world.directory / "alice.backup"
    make_backup(alice, path)
    second = world.person("alice-2", world.homes[0].url)
    outcomes = set()

    def restore() -> None:
        with contextlib.suppress(KezdError):
            agreeing(second, "backup.restore", path=str(path), passphrase=PASSPHRASE)

    for tenths in range(1, 60):
        working = threading.Thread(target=restore)
        working.start()
        time.sleep(tenths / 40)
        second.peer.kill()
        working.join()
        second.peer.start()
        state = second.call("identity.show")["state"]
        outcomes.add(state)
        assert not list((second.peer.directory / "data").glob("tmp/*")), "what was begun is taken away"
        if state != "none":
            break
    assert outcomes == {"none", "superseded"}
    assert [m["id"] for m in second.history("@bob")] == sent


def test_refusals(world: World) -> None:
    home = world.home()
    alice = world.registered("alice", home.url)
    empty = world.person("empty", home.url)
    path = world.directory / "a.backup"

    def refused(person: Person, method: str, **params: Any) -> KezdError:
        with pytest.raises(KezdError) as error:
            agreeing(person, method, **params)
        return error.value

    assert refused(empty, "backup.create", path=str(path), passphrase=PASSPHRASE).slug is Slug.NO_IDENTITY
    assert refused(alice, "backup.create", path=str(path), passphrase="short").detail["field"] == "passphrase"
    assert refused(alice, "backup.create", path="a", passphrase=PASSPHRASE).detail["field"] == "path"
    assert refused(alice, "backup.create", passphrase=PASSPHRASE).detail["field"] == "path"
    assert refused(alice, "backup.create", file={"fd": 0}, passphrase=PASSPHRASE).detail["field"] == "fd"
    missing = world.directory / "nowhere" / "a.backup"
    assert refused(alice, "backup.create", path=str(missing), passphrase=PASSPHRASE).slug is Slug.FILE_FAILED
    make_backup(alice, path)
    assert refused(alice, "backup.create", path=str(path), passphrase=PASSPHRASE).slug is Slug.FILE_EXISTS
    make_backup(alice, path, replace=True)
    whole = path.read_bytes()

    args: dict[str, Any] = {"path": str(path), "passphrase": PASSPHRASE}
    assert refused(alice, "backup.restore", **args).slug is Slug.IDENTITY_EXISTS
    wrong = args | {"passphrase": PASSPHRASE + "x"}
    assert refused(empty, "backup.verify", **wrong).slug is Slug.WRONG_PASSPHRASE
    assert refused(empty, "backup.restore", **wrong).slug is Slug.WRONG_PASSPHRASE
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole[:100], b"", whole[:-9] + b"x" + whole[-8:]):
        path.write_bytes(damaged)
        assert refused(empty, "backup.verify", **args).slug is Slug.BACKUP_DAMAGED
        assert refused(empty, "backup.restore", **args).slug is Slug.BACKUP_DAMAGED
    assert empty.call("identity.show")["state"] == "none", "nothing was begun"
    assert not list((empty.peer.directory / "data" / "tmp").iterdir()), "and nothing is left"
    path.write_bytes(whole)
    assert empty.call("backup.restore", **args, dry_run=True)["contents"]["handle"] == "alice@kez.test"
    assert empty.call("identity.show")["state"] == "none"
    assert empty.call("backup.restore", **args)["state"] == "superseded"
    empty.peer.restart()
    assert empty.call("identity.show")["state"] == "superseded", "it is there after a restart"


def test_by_the_command_line(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", "hello"), alice.send("@bob", "a\u202etrick\nand a line")]
    bob.wait_for("@alice", sent)
    secret = world.directory / "secret"
    secret.write_text(PASSPHRASE + "\n")
    path = world.directory / "alice.backup"
    made = alice.peer.kez("backup", "create", str(path), "--yes", "--passphrase-file", str(secret))
    assert made["contents"]["messages"] == 2
    assert "whole and readable" in alice.peer.kez_text(
        "backup", "verify", str(path), "--passphrase-file", str(secret)
    )
    code, text = alice.peer.kez_fails(
        "backup", "create", str(path), "--yes", "--passphrase-file", str(secret)
    )
    assert (code, "exists already" in text) == (6, True)
    second = world.person("alice-2", world.homes[0].url)
    restored = second.peer.kez("backup", "restore", str(path), "--takeover", "--passphrase-file", str(secret))
    assert restored["state"] == "active"
    second.wait_online()
    wait_superseded(alice)

    piped = subprocess.run(
        [KEZ, "backup", "create", "-", "--yes", "--passphrase-file", str(secret)],
        env={**os.environ, "KEZD_HOME": str(second.peer.directory)}, check=True, capture_output=True,
    )  # fmt: skip
    again = subprocess.run(
        [KEZ, "--json", "backup", "verify", "-", "--passphrase-file", str(secret)],
        env={**os.environ, "KEZD_HOME": str(second.peer.directory)}, check=True, capture_output=True, input=piped.stdout,
    )  # fmt: skip
    assert json.loads(again.stdout)["contents"]["messages"] == 2
    assert json.loads(again.stdout)["bytes"] == len(piped.stdout)

    target = world.directory / "export"
    second.peer.kez("export", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert "NOT ENCRYPTED" in (target / "README.txt").read_text()
    assert json.loads((target / "identity.json").read_text())["handle"] == "alice@kez.test"
    contacts = [json.loads(line) for line in (target / "contacts.jsonl").read_text().splitlines()]
    assert [contact["handle"] for contact in contacts] == ["bob@kez.test"]
    chain = [json.loads(line) for line in (target / "sigchain.jsonl").read_text().splitlines()]
    assert [event["payload"]["seq"] for event in chain] == list(range(1, len(chain) + 1))
    (lines,) = (target / "conversations").glob("*.jsonl")
    assert lines.name.startswith("bob@kez.test-")
    assert [json.loads(line)["id"] for line in lines.read_text().splitlines()] == sent
    readable = lines.with_suffix(".txt").read_text()
    assert "me: hello" in readable
    assert "a\\u{202e}trick\n    and a line" in readable
    assert second.peer.kez_fails("export", str(target))[0] == 6
    second.peer.kez("export", str(world.directory / "export.tar"))
    with tarfile.open(world.directory / "export.tar") as archive:
        names = set(archive.getnames())
    assert {"kez-export/README.txt", f"kez-export/conversations/{lines.name}"} <= names
    assert not list(world.directory.glob("*.part"))

"""`kez doctor`: which key source is in use, what is told while kezd is down, other profiles."""

import json
import os
from pathlib import Path

import pytest

from kezd.testing.peer_driver import PeerProcess

NOWHERE = "http://127.0.0.1:9"


def checks(peer: PeerProcess) -> "dict[str, dict[str, object]]":
    return {c["name"]: c for c in json.loads(peer.run_kez("doctor", "--json").stdout)["checks"]}


@pytest.fixture
def peer(tmp_path):
    with PeerProcess.running(
        tmp_path / "p",
        home_url=NOWHERE,
        environ={"KEZD_VAULT_SOURCE": "auto", "KEZD_PROFILES_NAMES": "default,work"},
    ) as peer:
        yield peer


def make_vault(peer: PeerProcess, profile: str = "default") -> None:
    with peer.client(profile=profile) as client:
        client.call("identity.create", passphrase=peer.passphrase)


def test_it_names_what_really_holds_the_key_and_looks_into_the_database(peer):
    make_vault(peer)
    found = checks(peer)
    assert found["vault"]["found"] == "open, its key is held by a passphrase"
    assert "sound" in found["database"]["found"]
    assert found["version"]["ok"]
    assert found["profile"]["found"] == "work is empty"


def test_a_locked_profile_is_told_by_the_doctor_of_another(peer):
    make_vault(peer, "work")
    vault = peer.directory / "data" / "profiles" / "work" / "vault.json"
    peer.stop()
    vault.write_bytes(b"{}")
    peer.start()
    profile = checks(peer)["profile"]
    assert not profile["ok"]
    assert profile["fix"] == "kez doctor --profile work"


def test_it_works_while_kezd_is_down(peer):
    make_vault(peer)
    peer.kill()
    found = checks(peer)
    assert not found["daemon"]["ok"]
    assert "left from an earlier kezd" in found["socket"]["found"]
    assert found["permissions"]["ok"]
    assert found["config"]["ok"]
    assert "level=" in found["last words"]["found"]
    os.chmod(peer.directory / "run", 0o755)  # noqa: PTH101 - as a shell would
    assert "chmod 700" in checks(peer)["permissions"]["fix"]
    (peer.directory / "config.toml").write_text("[chat]\nread_recipts = true\n")
    config = checks(peer)["config"]
    assert "config.toml:2" in config["found"]
    assert config["fix"] == "did you mean chat.read_receipts?"
    Path(peer.directory / "config.toml").unlink()
    Path(peer.directory / "run").chmod(0o700)

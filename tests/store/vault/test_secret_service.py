"""The vault in a real Secret Service: gnome-keyring on a session bus of its own, with a home of its own.

Each test runs a program under `dbus-run-session`, because the library `keyring` chooses its
backend once a process, by the environment.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

needs_secret_service = pytest.mark.needs("dbus-run-session", "gnome-keyring-daemon")

PROLOGUE = """
import json, sys, subprocess, trio
from pathlib import Path
from kezd.errors import KezdError
from kezd.kez.keys import Seed
from kezd.store.vault import Vault
where = Path(sys.argv[1])
vault = Vault(where, "auto", "default", {})
def keyring_daemon(password):
    subprocess.run(
        ["gnome-keyring-daemon", "--daemonize", "--unlock", "--components=secrets"],
        input=password, text=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20,
    )
def outcome(call, *args, **kwargs):
    try:
        result = trio.run(lambda: call(*args, **kwargs))
    except KezdError as error:
        return error.slug.value
    return "seed" if result is not None and result.seed == Seed(b"s" * 32) else "record"
"""


def run(tmp_path: Path, body: str, *, bus: bool = True, **environ: str) -> Any:
    """Run the program in a session of its own and return the JSON it prints last."""
    home = tmp_path / "home"
    runtime = tmp_path / "run"
    for directory in (home, runtime):
        directory.mkdir(mode=0o700, exist_ok=True)
    environment = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_DATA_HOME": str(home / "data"),
        "PATH": os.environ.get("PATH", os.defpath),
        **environ,
    }
    command = [sys.executable, "-W", "ignore", "-c", PROLOGUE + body, str(tmp_path / "profile")]
    done = subprocess.run(
        ["dbus-run-session", "--", *command] if bus else command,
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_secret_service
def test_a_vault_lives_in_the_keyring_over_sessions(tmp_path: Path) -> None:
    made = run(
        tmp_path,
        """
keyring_daemon("login password")
record = trio.run(vault.create)
trio.run(vault.save, record.with_identity(Seed(b"s" * 32), None))
print(json.dumps(json.loads((where / "vault.json").read_text())["wrap"]))
""",
    )
    assert made == "keyring"
    again = run(
        tmp_path,
        'keyring_daemon("login password")\nprint(json.dumps([outcome(vault.unlock), outcome(vault.unlock, fresh=True)]))',
    )
    assert again == ["seed", "seed"]


@needs_secret_service
def test_a_locked_collection_and_a_lost_entry_are_told_apart(tmp_path: Path) -> None:
    run(tmp_path, 'keyring_daemon("login password")\ntrio.run(vault.create)\nprint("null")')
    locked = run(
        tmp_path,
        """
import secretstorage
keyring_daemon("login password")
secretstorage.get_default_collection(secretstorage.dbus_init()).lock()
print(json.dumps(outcome(vault.unlock)))
""",
    )
    assert locked == "keyring_locked"
    lost = run(
        tmp_path,
        """
import keyring
keyring_daemon("login password")
name = "default/" + json.loads((where / "vault.json").read_text())["id"]
keyring.delete_password("kezd", name)
print(json.dumps(outcome(vault.unlock)))
""",
    )
    assert lost == "keyring_missing"


@needs_secret_service
def test_without_a_bus_the_keyring_is_missing(tmp_path: Path) -> None:
    run(tmp_path, 'keyring_daemon("login password")\ntrio.run(vault.create)\nprint("null")')
    gone = run(
        tmp_path,
        "print(json.dumps(outcome(vault.unlock)))",
        bus=False,
        DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent",
    )
    assert gone == "keyring_missing"
    nothing = 'print(json.dumps(outcome(Vault(where / "new", "auto", "default", {}).create)))'
    assert (
        run(tmp_path, nothing, bus=False, DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
        == "passphrase_needed"
    )


@pytest.mark.parametrize("backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"])
def test_an_insecure_backend_chosen_by_the_environment_is_refused(tmp_path: Path, backend: str) -> None:
    body = 'print(json.dumps(outcome(Vault(where, "keyring", "default", {}).create)))'
    assert run(tmp_path, body, bus=False, PYTHON_KEYRING_BACKEND=backend) == "keyring_missing"
    assert not (tmp_path / "profile").exists()

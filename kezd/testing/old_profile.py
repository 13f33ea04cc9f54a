"""Makes the profile that an older kezd left behind, for the test of upgrades. Run once for a schema, never in CI.

    git clone . OLD && git -C OLD checkout COMMIT
    PYTHONPATH=OLD python kezd/testing/old_profile.py tests/vectors/schema-N

Everything that runs is the old commit's, which is why this program names no module of the
day. It leaves Alice's profile, the home's directory of handles and chains (without its
broker's messages), and what the test has to know, in `facts.json`. Home stands on fixed
ports: they are in the signed chains.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kezd.testing.people import World

PORTS = {"--bind": "127.0.0.1:23969", "--internal-bind": "127.0.0.1:23970", "--nats-bind": "127.0.0.1:23422"}
TEXTS = ("before the upgrade", "two lines\nand an emoji \U0001f600", "third")
QUEUED = ("waits for the new binary", "this one, too")
NOT_KEPT = ("jetstream", "nats*", "keys", "lock", "*.log")


def main(target: Path) -> None:
    """Make the profile and store what belongs to it below `target`."""
    with tempfile.TemporaryDirectory(prefix="kezd-") as text, World.open(Path(text)) as world:
        home = world.home(extra_args=[word for pair in PORTS.items() for word in pair])
        alice, bob = world.friends("alice", "bob")
        sent = [alice.send("@bob", text) for text in TEXTS]
        bob.wait_for("@alice", sent)
        answers = [bob.send("@alice", f"answer {n}") for n in range(3)]
        alice.wait_for("@bob", answers)
        alice.wait_states(sent)
        bob.wait_states(answers)
        alice.call("chat.read", contact="@bob")
        home.stop()
        alice.wait_link("offline", "connecting")
        queued = [alice.send("@bob", text, idempotency_key=text[:20]) for text in QUEUED]
        place = alice.call("events.subscribe", topics=["message", "contact", "identity"])
        facts: dict[str, Any] = {
            "passphrase": alice.peer.passphrase,
            "bob_words": bob.words,
            "alice_words": alice.words,
            "identity": alice.call("identity.show"),
            "contacts": alice.call("contacts.list")["items"],
            "history": alice.history("@bob"),
            "queued": queued,
            "epoch": place["epoch"],
            "seq": place["seq"],
        }
        alice.peer.stop()
        bob.peer.stop()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(alice.peer.directory / "data" / "profiles", target / "profiles")
        shutil.copytree(home.directory, target / "home", ignore=shutil.ignore_patterns(*NOT_KEPT))
    commit = subprocess.run(
        ["git", "-C", sys.path[1], "rev-parse", "HEAD"], check=False, capture_output=True, text=True
    )
    facts["commit"] = commit.stdout.strip()
    (target / "facts.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

"""A second reader of sigchains, JSONL and bundles, written again from `docs/protocol/sigchain.md`.

`python kez_chain.py FILE` prints what a chain comes to; nothing of kezd is imported.
"""

import json
import re
import sys
from hashlib import sha256
from pathlib import Path

import kez_reader as kez
from kez_reader import Key, need

MIB_16 = 16 * 1024 * 1024
HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


def _is(value, pattern):
    need(isinstance(value, str) and re.fullmatch(pattern, value), f"not {pattern}")
    return value


def _line_of_text(value):
    need(isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable(), "no short line of text")
    return value


def _list(value):
    need(isinstance(value, list) and len(value) <= 16, "no short list")
    return value


class State:
    """What the events so far come to."""

    def __init__(self, genesis):
        self.keys = [Key(genesis)]
        self.subjects, self.revoked, self.devices, self.nats, self.iroh = {}, set(), {}, {}, set()
        self.shared = None

    @property
    def inboxes(self):
        return {f"kez.inbox.{key.raw.hex()}" for key in self.keys if key.text.startswith("ed25519:")}

    def add(self, says):
        name = kez.subject(_line_of_text(says.get("subject")))
        url = _is(says["proof_url"], r"https://[!-~]{1,2040}") if "proof_url" in says else None
        self.subjects[name] = url
        self.revoked.discard(name)

    def revoke(self, says):
        name = kez.subject(_line_of_text(says.get("subject")))
        if "reason" in says:
            _line_of_text(says["reason"])
        self.subjects.pop(name, None)
        self.revoked.add(name)

    def rotate(self, says):
        new, consent = Key(says.get("new_primary")), says.get("new_signature")
        need(isinstance(consent, dict) and set(consent) == {"alg", "sig"}, "no consent")
        need(consent["alg"] == new.alg == self.keys[-1].alg, "another algorithm")
        need(new.text not in [key.text for key in self.keys], "a key that was there")
        agreed = {name: value for name, value in says.items() if name != "new_signature"}
        signature = bytes.fromhex(_is(consent["sig"], "[0-9a-f]{128}"))
        new.check(b"kez-rotate/1\0" + kez.jcs(agreed), signature)
        self.keys.append(new)

    def add_device(self, says):
        name, key = _line_of_text(says.get("name")), Key(says.get("key")).text
        words = [_is(word, "[a-z0-9_.-]{1,32}") for word in _list(says.get("capabilities"))]
        self.devices[_is(says.get("device"), "[a-z0-9]{1,32}")] = (name, key, words)

    def revoke_device(self, says):
        self.devices.pop(_is(says.get("device"), "[a-z0-9]{1,32}"), None)

    def add_endpoint(self, says):
        protocol = _is(says.get("protocol"), "[a-z0-9_.-]{1,32}")
        if protocol == "nats":
            host = (
                _is(says.get("url"), r"(?:nats|tls|ws|wss)://[^/]{1,262}/?")
                .split("://")[1]
                .rstrip("/")
                .lower()
            )
            name, port = re.fullmatch(r"(.*?)\.?(?::([1-9][0-9]{0,4})\.?)?", host).groups()
            need(re.fullmatch(HOST, name) and len(name) <= 253 and int(port or 1) <= 65535, "no host")
            accepts = _list(says.get("accepts"))
            need(accepts and all(type(one) is int and 0 < one < 256 for one in accepts), "accepts")
            need(says.get("inbox") in self.inboxes, "the inbox of somebody else")
            self.nats[says["url"]] = (says["inbox"], accepts)
        elif protocol == "iroh":
            self.iroh.add(_is(says.get("node_id"), "[0-9a-f]{64}"))

    def remove_endpoint(self, says):
        protocol, name = _is(says.get("protocol"), "[a-z0-9_.-]{1,32}"), _line_of_text(says.get("id"))
        if protocol == "nats":
            self.nats.pop(name, None)
        elif protocol == "iroh":
            self.iroh.discard(name)

    def set_shared_files(self, says):
        seq = says.get("manifest_seq")
        need(type(seq) is int and 0 < seq <= kez.MOST, "manifest_seq")
        self.shared = (_is(says.get("manifest"), "[0-9a-f]{64}"), seq)


OPERATIONS = (
    "add", "revoke", "rotate", "add_device", "revoke_device", "add_endpoint", "remove_endpoint", "set_shared_files",
)  # fmt: skip


def jsonl(data, genesis):
    """Check a whole chain; what it comes to, and the hash of its last event."""
    need(len(data) <= MIB_16, "too long")
    state, prev = State(genesis), None
    lines = data.split(b"\n")
    need(lines.pop() == b"", "the last line has no end")
    for seq, line in enumerate(lines, start=1):
        value = kez.parse(line)
        need(kez.jcs(value) == line, "not canonical")
        says = kez.envelope(value, "sigchain_event")
        need(says["primary"] == state.keys[-1].text, "not the current key")
        need(type(says.get("seq")) is int and says["seq"] == seq, "seq")
        need("prev" in says and says["prev"] == prev, "prev")
        operation = _is(says.get("op"), "[a-z0-9_]{1,64}")
        if operation in OPERATIONS:
            getattr(state, operation)(says)
        prev = sha256(line).hexdigest()
    return state, prev


def bundle(text, genesis):
    need(text.startswith("kez:zc1:"), "no bundle")
    return jsonl(kez.unzstd(kez.unbase64url(text[8:]), MIB_16), genesis)


if __name__ == "__main__":
    data = Path(sys.argv[1]).read_bytes()
    genesis = json.loads(data.split(b"\n")[0])["payload"]["primary"]
    state, head = jsonl(data, genesis)
    assert not [
        name for name in sys.modules if name.split(".")[0] in ("kezd", "coincurve", "nacl", "msgspec")
    ]
    print(json.dumps({"genesis": genesis, "current": state.keys[-1].text, "head": head}))

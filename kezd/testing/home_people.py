"""People for tests of the home server: keys, a handle, a session, a raw NATS connection.

Built on the real protocol package and the real server; no peer is involved.
"""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from kezd.kez.envelope import encode_envelope
from kezd.kez.handles import Handle
from kezd.kez.keys import PublicKey, Seed
from kezd.kez.registration import registration_payload
from kezd.kez.sender_tag import inbox_subject
from kezd.kez.signing import Signer
from kezd.runtime.clock import SystemClock
from kezd.testing.raw_nats import RawMessage, RawNats

PULL_NANOSECONDS = 1_000_000_000
"""A consumer hears of a stored message a moment after its publisher does, so a pull waits."""


@dataclass
class Person:
    """Somebody with a key, on one installation."""

    name: str
    signer: Signer = field(default_factory=lambda: Signer(Seed(secrets.token_bytes(32))))
    installation_id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def public(self) -> PublicKey:
        """The primary."""
        return self.signer.public

    def again(self) -> "Person":
        """The same identity on another installation."""
        return Person(self.name, self.signer)

    def registration(self, server: str, created_at: float | None = None, **changes: Any) -> bytes:
        """A signed registration; `created_at` is unix seconds, now by default."""
        moment = int(SystemClock().now() if created_at is None else created_at)
        payload = registration_payload(Handle(self.name, server), self.public, moment)
        return encode_envelope(self.signer.registration({**payload, **changes}))

    def register(self, url: str, server: str = "kez.test") -> httpx.Response:
        """POST the registration and insist on success."""
        answer = httpx.post(f"{url}/v1/register", content=self.registration(server))
        assert answer.status_code in (200, 201), answer.text
        return answer

    def connect(self, nats_url: str) -> "PersonOnNats":
        """Log in to NATS.

        Raises:
            RefusedError: the server's words.
        """
        raw = RawNats.login(nats_url, self.public.nkey, self.signer.nats_nonce, self.installation_id)
        inbox = f"_INBOX_{self.public.hex}.{secrets.token_hex(8)}"
        raw.subscribe(inbox)
        raw.barrier()
        return PersonOnNats(self, raw, inbox)


@dataclass
class PersonOnNats:
    """A logged-in installation; `session` holds the newest session answer."""

    person: Person
    raw: RawNats
    inbox: str
    session: dict[str, Any] = field(default_factory=dict)

    def ask_session(self, *, takeover: bool = False, **changes: Any) -> dict[str, Any]:
        """The session RPC; its answer, also when it is an error."""
        body = {"installation_id": self.person.installation_id, "takeover": takeover, "v": 1, **changes}
        return self.rpc(json.dumps(body).encode())

    def rpc(self, payload: bytes) -> dict[str, Any]:
        """Any payload to the session RPC."""
        answer = self.raw.request(f"kez.rpc.{self.person.public.hex}.session", payload, self.inbox)
        assert answer is not None, "no answer to the session request"
        self.session = json.loads(answer.data)
        return self.session

    @property
    def tag(self) -> str:
        """Today's sender tag."""
        tag: str = self.session["tags"][0]["tag"]
        return tag

    def send(self, recipient: PublicKey, data: bytes, headers: str = "", tag: str = "") -> dict[str, Any]:
        """Publish to an inbox; JetStream's answer."""
        nats_subject = inbox_subject(recipient, "0", tag or self.tag)
        answer = self.raw.request(nats_subject, data, self.inbox, headers)
        assert answer is not None, self.raw.errors
        parsed: dict[str, Any] = (
            json.loads(answer.data) if answer.data else {"status": answer.headers.decode()}
        )
        return parsed

    def pull(self, batch: int = 1) -> list[RawMessage]:
        """What waits, at most `batch` messages, unacknowledged."""
        consumer = self.session["consumer"]
        body = json.dumps({"batch": batch, "expires": PULL_NANOSECONDS}).encode()
        self.raw.publish(f"$JS.API.CONSUMER.MSG.NEXT.KEZ_INBOX.{consumer}", body, self.inbox)
        found: list[RawMessage] = []
        while len(found) < batch:
            message = self.raw.wait_message(2)
            if message is None or not message.reply:
                break
            found.append(message)
        return found

    def ack(self, message: RawMessage) -> None:
        """Acknowledge a pulled message."""
        self.raw.publish(message.reply, b"+ACK")
        self.raw.barrier()

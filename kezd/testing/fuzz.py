"""Messages for the socket that are nearly right: made from the table of methods, then bent.

Seeded, so that a failure can be made again: the same seed gives the same bytes. Three
layers are bent: the JSON value (wrong types, missing and unknown members, deep nesting,
batches), the bytes (flipped, cut, doubled), and the stream (lines, `Content-Length` headers
that lie, pieces of any size). Left out is what is meant to end the daemon.
"""

import json
from collections.abc import Iterator
from random import Random  # noqa: TID251 - the same seed gives the same bytes
from typing import Any

import msgspec

from kezd.api.methods import METHODS, Method

DEADLY = frozenset({"daemon.shutdown"})
STRINGS = (
    "", "a", "@bob", "bob@kez.test", "default", "message", "x" * 129, "ü€😀", "\u0000", "\u202e", "a:b", '"', "\\",
    "ed25519:" + "00" * 32, "0" * 32, "kezt_" + "A" * 43, "9" * 400, "%s%n", "key",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 50, 65535, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64, 10**30, 0.5, -0.0, 1e308)
IDS = (*range(5), "id", "", None, 1.5, -1, 2**70, True, [], {"a": 1})
DEPTHS = (3, 60, 64, 65, 200, 5000)
LARGE = 300_000


class Fuzzer:
    """An endless source of messages.

    Args:
        seed: of everything that is drawn.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._methods = [method for method in METHODS if method.name not in DEADLY]

    def conversation(self, count: int) -> Iterator[bytes]:
        """Pieces of a stream of `count` messages, as they are to be written."""
        framed = self.random.random() < 0.3
        stream = b"".join(
            self._framed(self.message()) if framed else self._line(self.message()) for _ in range(count)
        )
        while stream:
            size = self.random.choice((1, 3, 17, 100, 5_000, 70_000, len(stream)))
            piece, stream = stream[:size], stream[size:]
            yield piece

    def message(self) -> bytes:
        """One message, bent or not."""
        roll = self.random.random()
        if roll < 0.02:
            return self._nested()
        if roll < 0.03:
            return self._large()
        data = json.dumps(self._value(), ensure_ascii=self.random.random() < 0.5).encode(
            "utf-8", "surrogatepass"
        )
        return self._bent(data) if self.random.random() < 0.4 else data

    # --- values

    def _value(self) -> Any:
        if self.random.random() < 0.15:
            return [self._request() for _ in range(self.random.choice((0, 1, 2, 5, 20, 100, 101)))]
        return self._request()

    def _request(self) -> Any:
        if self.random.random() < 0.03:
            return self._anything(2)
        method = self.random.choice(self._methods)
        request: dict[str, Any] = {"jsonrpc": "2.0", "method": method.name, "params": self._params(method)}
        if self.random.random() < 0.85:
            request["id"] = self.random.choice(IDS)
        return self._changed(request) if self.random.random() < 0.15 else request

    def _params(self, method: Method) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for field in msgspec.structs.fields(method.params):
            if field.required or self.random.random() < 0.3:
                params[field.encode_name] = self._of_type(field.type)
        return self._changed(params) if self.random.random() < 0.3 else params

    def _of_type(self, wanted: Any) -> Any:
        """Often of the right kind."""
        text = str(wanted)
        if self.random.random() < 0.2:
            return self._anything(2)
        if "list" in text:
            return [self.random.choice(STRINGS) for _ in range(self.random.choice((0, 1, 3, 12)))]
        if "bool" in text:
            return self.random.random() < 0.5
        if "int" in text and self.random.random() < 0.7:
            return self.random.choice(NUMBERS[:6])
        if "Descriptor" in text:
            return {"fd": self.random.choice((0, 1, 15, 16, -1))}
        if "str" in text or "Literal" in text:
            return self.random.choice(STRINGS)
        return self._anything(2)

    def _anything(self, depth: int) -> Any:
        kind = self.random.randrange(6 if depth else 4)
        match kind:
            case 0:
                return self.random.choice(STRINGS)
            case 1:
                return self.random.choice(NUMBERS)
            case 2:
                return self.random.random() < 0.5
            case 3:
                return None
            case 4:
                return [self._anything(depth - 1) for _ in range(self.random.randrange(4))]
            case _:
                return {
                    self.random.choice(STRINGS): self._anything(depth - 1)
                    for _ in range(self.random.randrange(4))
                }

    def _changed(self, value: dict[str, Any]) -> dict[str, Any]:
        changed = dict(value)
        if changed and self.random.random() < 0.5:
            del changed[self.random.choice(list(changed))]
        if self.random.random() < 0.7:
            name = self.random.choice((*value, "surprise", "dry_run", "idempotency_key", "progress_token"))
            changed[name] = self._anything(2)
        return changed

    # --- bytes

    def _nested(self) -> bytes:
        depth = self.random.choice(DEPTHS)
        opening, closing = self.random.choice(((b"[", b"]"), (b'{"a":', b"}")))
        inner = opening * depth + b"1" + closing * self.random.choice((depth, 0))
        return b'{"jsonrpc":"2.0","id":1,"method":"chat.send","params":{"text":' + inner + b"}}"

    def _large(self) -> bytes:
        unit = self.random.choice((b"a", b'\\"', b"{", b'{"a":1},', "ü".encode(), b"\\u0000"))
        return (
            b'{"jsonrpc":"2.0","id":1,"method":"chat.send","params":{"text":"'
            + unit * (LARGE // len(unit))
            + b'"}}'
        )

    def _bent(self, data: bytes) -> bytes:
        for _ in range(self.random.choice((1, 1, 2, 8))):
            place = self.random.randrange(len(data) + 1)
            match self.random.randrange(6):
                case 0:
                    data = data[:place] + bytes([self.random.randrange(256)]) + data[place + 1 :]
                case 1:
                    data = data[:place]
                case 2:
                    data = data[:place] + data[place + self.random.randrange(1, 9) :]
                case 3:
                    data = data[:place] + data[max(place - 20, 0) : place] * 2 + data[place:]
                case 4:
                    data = (
                        data[:place]
                        + self.random.choice((b'"', b"{", b"\\", b"\xff", b"\x00", b"\r", b":"))
                        + data[place:]
                    )
                case _:
                    other = json.dumps(self._request()).encode()
                    data = data[:place] + other[self.random.randrange(len(other)) :]
        return data

    # --- the stream

    def _line(self, message: bytes) -> bytes:
        ending = self.random.choice((b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b" \n"))
        return message.replace(b"\n", b" ") + ending

    def _framed(self, message: bytes) -> bytes:
        length: object = len(message)
        if self.random.random() < 0.03:
            length = self.random.choice((0, 1, len(message) + 1, -1, "x", 2**40, 5 * 1024 * 1024, ""))
        name = self.random.choice((b"Content-Length", b"content-length", b"CONTENT-LENGTH"))
        more = self.random.choice((b"", b"", b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"))
        return b"%b: %b\r\n%b\r\n%b" % (name, str(length).encode(), more, message)

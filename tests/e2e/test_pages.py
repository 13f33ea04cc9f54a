"""Every list by pages on a real daemon: whole, in order, and whatever stands in `limit` and `cursor`."""

import base64
import struct
from typing import Any

import msgspec

from kezd.api.methods import METHODS
from kezd.client.sync import Client
from kezd.errors import KezdError, Slug
from kezd.testing.people import World

PAGED = [
    method.name for method in METHODS if "cursor" in {f.name for f in msgspec.structs.fields(method.params)}
]
CURSORS = (
    "", "0", "-1", "9" * 18, "9" * 19, "9" * 400, "1e3", "\u0661", "a", "\u0000", "' OR 1=1 --", "%", "ü" * 3000, "=", "A" * 11,
    *(base64.urlsafe_b64encode(struct.pack(">" + "q" * n, *(value,) * n)).decode() for n in (1, 2) for value in (0, -1, 2**63 - 1, -(2**63))),
    *(base64.urlsafe_b64encode(b"\xff" * n).decode().rstrip("=") for n in (1, 8, 15, 16, 17, 24, 4000)),
)  # fmt: skip
LIMITS = (0, -1, 2**31, 2**63 - 1)


def walk(client: Client, method: str, limit: int, **params: Any) -> list[Any]:
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page = client.call(method, limit=limit, cursor=cursor, **params)
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page.get("next_cursor")
        if cursor is None:
            return items
        assert page["items"], "a page that promises more has something"


def ask(client: Client, method: str, **params: Any) -> tuple[Slug | None, int]:
    """The error, or how many items there were."""
    try:
        return None, len(client.call(method, **params)["items"])
    except KezdError as error:
        return error.slug, 0


def test_all_pages_are_the_whole_and_hostile_cursors_are_answered(world: World) -> None:
    home = world.home()
    alice = world.registered("alice", home.url)
    for name in ("bob", "carol", "dave"):
        alice.add(world.registered(name, home.url).call("identity.show")["handle"])
    for number in range(7):
        alice.send("@bob", f"text {number}")
        alice.call("tokens.create", name=f"token {number}", scope="read")
    alice.send("@carol", "one")
    lists: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in PAGED if name != "chat.history"]
    lists += [("chat.history", {"contact": "@bob"}), ("chat.history", {"contact": "@bob", "after": 0})]
    with alice.peer.client() as client:
        for method, params in lists:
            whole = walk(client, method, 200, **params)
            assert whole, method
            if method != "audit.list":  # grows by being read
                pages = [walk(client, method, limit, **params) for limit in (1, 2, 3)]
                assert all(sorted(map(str, page)) == sorted(map(str, whole)) for page in pages), method
            for cursor in CURSORS:
                slug, count = ask(client, method, cursor=cursor, **params)
                assert slug in {None, Slug.INVALID_ARGUMENT}, (method, cursor[:30])
                assert count <= 50, (method, cursor[:30])
            for limit in LIMITS:
                slug, count = ask(client, method, limit=limit, **params)
                assert slug is (Slug.INVALID_ARGUMENT if limit < 1 else None), (method, limit)
                assert count <= 200, (method, limit)
        for after in (-1, 2**63, 10**30, True, "1", 1.5):
            slug, _ = ask(client, "chat.history", contact="@bob", after=after)
            assert slug is Slug.INVALID_ARGUMENT, after

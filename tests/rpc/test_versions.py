"""Versions on the wire: the handshake chooses the highest in common, and what will go says so once."""

import dataclasses

import pytest
import trio

from kezd.api.methods import API_MIN, API_VERSION, METHODS
from kezd.api.versions import choose_version
from kezd.testing.rpc_driver import open_rpc


@pytest.mark.parametrize(
    ("theirs", "ours", "chosen"),
    [
        ((1, 1), (1, 1), 1),
        ((1, 5), (1, 1), 1),
        ((1, 2), (1, 5), 2),
        ((1, 5), (3, 4), 4),
        ((4, 9), (2, 4), 4),
        ((2, 9), (1, 1), None),
        ((1, 1), (2, 3), None),
        ((0, 0), (1, 1), None),
    ],
)
def test_the_highest_in_common_is_chosen(theirs, ours, chosen):
    assert choose_version(theirs, ours) == chosen
    assert choose_version(ours, theirs) == chosen


@pytest.mark.parametrize("theirs", [(2, 1), (-1, 1)])
def test_a_range_that_is_none_is_refused(theirs):
    with pytest.raises(ValueError, match="no range"):
        choose_version(theirs, (1, 1))


@pytest.mark.parametrize(
    ("api", "slug", "detail"),
    [
        (
            {"min": API_VERSION + 1, "max": API_VERSION + 8},
            "unsupported_api",
            {
                "min": API_MIN,
                "max": API_VERSION,
                "client_min": API_VERSION + 1,
                "client_max": API_VERSION + 8,
            },
        ),
        ({"min": 3, "max": 2}, "invalid_argument", {"field": "api"}),
    ],
)
async def test_a_refusal_says_both_ranges(tmp_path, api, slug, detail):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            error = (await client.call("session.initialize", client={"name": "t"}, api=api))["error"]
            assert error["data"]["slug"] == slug
            assert detail.items() <= error["data"].items()
            assert str(api["min"]) in error["message"]
            assert str(api["max"]) in error["message"]
            newer = {"min": 1, "max": API_VERSION + 8}
            answer = await client.call("session.initialize", client={"name": "t"}, api=newer)
            assert answer["result"]["api"] == API_VERSION


async def test_a_deprecated_method_works_and_says_so_once_to_each_connection(tmp_path):
    table = [
        dataclasses.replace(m, deprecated="chat.history") if m.name == "chat.message" else m for m in METHODS
    ]
    notice = {
        "jsonrpc": "2.0",
        "method": "rpc.deprecated",
        "params": {"method": "chat.message", "instead": "chat.history"},
    }
    with trio.fail_after(10):
        async with open_rpc(tmp_path, methods=table) as rpc:
            for _ in range(2):
                async with rpc.connect() as client:
                    await client.begin("chat.message", id="0" * 32)
                    assert await client.receive() == notice
                    assert "result" in await client.receive()
                    assert "result" in await client.call("chat.message", id="0" * 32)
                    assert "result" in await client.call("chat.conversations")

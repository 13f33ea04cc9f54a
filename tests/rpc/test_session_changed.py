"""`session.changed`, and whose profile it is: said to every initialised connection, subscribed or not."""

import pytest
import trio

from kezd.rpc.ports import ProfileState
from kezd.testing.memory_peer import PRIMARY
from kezd.testing.rpc_driver import INITIALIZE, open_rpc


@pytest.mark.parametrize("state", ["locked", "open", "removed"])
async def test_every_initialised_connection_hears_of_it(tmp_path, state):
    with trio.fail_after(10):
        async with (
            open_rpc(tmp_path) as rpc,
            rpc.connect() as one,
            rpc.connect() as two,
            rpc.connect(initialize=False) as silent,
        ):
            listeners = rpc.peer.default.listeners
            assert len(listeners) == 2
            for listener in listeners:
                listener(state)
            for client in (one, two):
                notice = await client.receive()
                assert (notice["method"], notice["params"]) == (
                    "session.changed",
                    {"profile": "default", "state": state},
                )
            assert "result" in await silent.call("daemon.version")


async def test_who_has_hung_up_is_told_nothing(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            async with rpc.connect():
                assert len(rpc.peer.default.listeners) == 1
            while rpc.peer.default.listeners:
                await trio.lowlevel.checkpoint()
            async with rpc.connect(initialize=False) as client:
                await client.call("session.initialize", client={"name": "x"}, profile="nobody")
                assert rpc.peer.default.listeners == []


@pytest.mark.parametrize("state", ProfileState)
async def test_initialize_says_whose_profile_it_is(tmp_path, state):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            rpc.peer.default.state = state
            result = (await client.call("session.initialize", **INITIALIZE))["result"]
            is_open = state is ProfileState.OPEN
            assert (result["handle"], result["primary"]) == (None, PRIMARY if is_open else None)

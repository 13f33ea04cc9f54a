"""A call of each method that a peer in memory answers with a result, and what has to be there before.

For tests that go over the whole table. Invariant: whoever adds a method to the table without
a call here learns it from those tests.
"""

from typing import Any

import trio

from kezd.testing.rpc_driver import INITIALIZE, RawClient, Rpc

PASSPHRASE = "a long enough passphrase"
MINIMAL: dict[str, dict[str, Any]] = {
    "session.initialize": INITIALIZE,
    "rpc.cancel": {"id": 1},
    "identity.confirm": {"answers": {"1": "zoo"}},
    "identity.register": {"handle": "alice"},
    "contacts.add": {"handle": "@bob"},
    "contacts.show": {"contact": "@bob"},
    "contacts.refresh": {"contact": "@bob"},
    "contacts.accept": {"contact": "@bob"},
    "contacts.block": {"contact": "@bob"},
    "contacts.decide": {"contact": "@bob", "decision": "trust_new"},
    "contacts.verify": {"contact": "@bob", "safety_words": ["zoo"] * 12},
    "claims.create": {"subject": "github:alice"},
    "claims.authorize": {"system": "github", "account": "alice", "secret": "token"},
    "claims.forget": {"system": "github", "account": "alice"},
    "claims.publish": {"subject": "github:alice"},
    "claims.remove": {"subject": "github:alice"},
    "graph.verify": {"what": "github:alice"},
    "graph.show": {"who": "@bob"},
    "graph.find": {"subject": "github:alice"},
    "graph.follow": {"who": "@bob"},
    "graph.unfollow": {"who": "@bob"},
    "chat.send": {"to": "@bob", "text": "hi"},
    "chat.history": {"contact": "@bob"},
    "chat.message": {"id": "0" * 32},
    "chat.read": {"contact": "@bob"},
    "events.subscribe": {"topics": ["message"]},
    "events.unsubscribe": {"subscription": "s1"},
    "events.ack": {"consumer": "bot", "seq": 0},
    "events.forget": {"consumer": "bot"},
    "backup.create": {"path": "/nowhere/backup", "passphrase": PASSPHRASE},
    "backup.verify": {"path": "/nowhere/backup", "passphrase": PASSPHRASE},
    "backup.restore": {"path": "/nowhere/backup", "passphrase": PASSPHRASE},
    "export.create": {"path": "/nowhere/export"},
    "profiles.create": {"name": "work"},
    "profiles.remove": {"name": "default"},
    "sigchain.export": {"format": "bundle"},
    "sigchain.import": {"text": "kez:zc1:"},
    "sigchain.add_device": {"device": "1", "name": "phone", "key": "ed25519:" + "11" * 32},
    "sigchain.revoke_device": {"device": "1"},
    "sigchain.add_endpoint": {"protocol": "nats", "url": "nats://kez.test"},
    "sigchain.remove_endpoint": {"protocol": "nats", "id": "nats://kez.test"},
    "sigchain.check": {"source": "web", "at": "alice.test"},
    "sigchain.rotate_confirm": {"answers": {"1": "zoo"}},
    "tokens.create": {"name": "bot", "scope": "full"},
    "tokens.revoke": {"name": "bot"},
}


async def prepare(rpc: Rpc, client: RawClient, method: str, nursery: trio.Nursery) -> dict[str, Any]:
    """Make what the call needs, through the person's own connection if `client` may not; its parameters.

    Args:
        rpc: the server.
        client: who is going to call.
        method: what.
        nursery: for a call that has to wait meanwhile.
    """
    match method:
        case "events.unsubscribe":
            await client.call("events.subscribe", topics=["link"])
        case "events.ack" | "events.forget":
            await client.call("events.subscribe", topics=["message"], consumer="bot")
        case "tokens.revoke":
            async with rpc.connect() as owner:
                await owner.answered("tokens.create", name="bot", scope="read")
        case "confirmations.answer":
            await nursery.start(_wait_to_be_confirmed, rpc)
            [pending] = rpc.peer.confirmations.list("default")
            return {"id": pending.id, "allow": True}
        case _:
            return MINIMAL.get(method, {})
    return MINIMAL[method]


async def _wait_to_be_confirmed(rpc: Rpc, *, task_status: trio.TaskStatus[None]) -> None:
    async with rpc.connect() as asking:
        await asking.begin("identity.words")
        await asking.receive()  # that it waits
        task_status.started()
        await asking.receive()

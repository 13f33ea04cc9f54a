"""The home server: handle registry, sigchains, and the gate of NATS; an asyncio process of its own."""

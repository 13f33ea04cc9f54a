"""The message transport over NATS JetStream: nats-py on a loop of its own, Trio in front of it."""

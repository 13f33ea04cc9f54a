"""The peer's behaviour: identity, contacts, chat."""

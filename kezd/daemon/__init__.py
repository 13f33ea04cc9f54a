"""The composition root of the peer."""

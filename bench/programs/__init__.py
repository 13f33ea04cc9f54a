"""Programs that run as processes of their own, so that what they cost is not counted as the peer's."""

"""kezd: one identity, one daemon, every front-end."""

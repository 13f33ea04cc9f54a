"""kezd: one identity, one daemon, every front-end."""

__version__ = "0.1.0"

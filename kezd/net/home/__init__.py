"""The home servers of this world over HTTP: look-ups, registration, sigchains."""

from kezd.net.home.client import HomeClient

__all__ = ["HomeClient"]

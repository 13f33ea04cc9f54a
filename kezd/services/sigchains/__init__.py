"""Sigchains for people: read, given away, taken in, written into by hand."""

from kezd.services.sigchains.service import Sigchains

__all__ = ["Sigchains"]

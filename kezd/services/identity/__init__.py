"""The identity of a profile: key, words, handle, sigchain, and which installation holds it."""

from kezd.services.identity.service import Identity
from kezd.services.identity.shape import ActiveIdentity
from kezd.services.identity.words import Chance

__all__ = ["ActiveIdentity", "Chance", "Identity"]

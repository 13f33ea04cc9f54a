"""Claims: what we say that we are, and whether what others say of themselves holds."""

from kezd.services.claims.profiles import Outside, Profiles, open_claims
from kezd.services.claims.service import Claims

__all__ = ["Claims", "Outside", "Profiles", "open_claims"]

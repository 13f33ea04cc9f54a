"""Who may do what through the socket: tokens, confirmations by a person, and the audit log.

No barrier between programs of one uid; see docs/SECURITY.md.
"""

from kezd.services.access.audit import AuditTrail
from kezd.services.access.confirmations import Confirmations
from kezd.services.access.tokens import Tokens

__all__ = ["AuditTrail", "Confirmations", "Tokens"]

"""Who did what, when, from where: written with the deed, chained so that a changed or missing row is found.

chain.py    what is hashed, and how
trail.py    the writer's side
log.py      reading, and `verify`
"""

from ringforge_core.audit.log import Fault, Verified, read_entries, verify
from ringforge_core.audit.trail import AuditTrail

__all__ = ["AuditTrail", "Fault", "Verified", "read_entries", "verify"]

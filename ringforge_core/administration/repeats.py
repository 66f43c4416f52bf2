"""What a person asks for twice happens once: an idempotency key made from a text that only their browser and we have."""

from __future__ import annotations

import hashlib

from ringforge_core.plugin.administration import Operator
from ringforge_core.ports.store import Once


def once_of(operator: Operator, operation: str, text: str | None) -> Once | None:
    """None without a text. What is kept is a digest of it; the result is kept under a secret that follows from it."""
    if text is None:
        return None
    key, secret = (hashlib.sha256(f"{use} {text}".encode()) for use in ("key", "secret"))
    return Once(operator.tenant_id, operator.user_id, operation, key.hexdigest(), b"", secret=secret.digest())

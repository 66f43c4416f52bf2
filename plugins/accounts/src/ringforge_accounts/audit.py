"""What people do, as the audit log of a tenant has it."""

from __future__ import annotations

from typing import Any

from ringforge_core.ports.store import AuditEntry


def deed(
    user_id: str, action: str, tenant_id: str, *, target: tuple[str, str] | None = None, address: str | None = None,
    **metadata: Any,
) -> AuditEntry:  # fmt: skip
    """`target` is a type and an id; without one the deed is about the person."""
    target_type, target_id = target or ("user", user_id)
    return AuditEntry(
        tenant_id=tenant_id, action=action, actor_type="user", actor_id=user_id, target_type=target_type,
        target_id=target_id, address=address, metadata=metadata,
    )  # fmt: skip

"""`system:quota_warning`: tells all fleets of a tenant, once per threshold, that a quota is nearly used up."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import uuid4

import msgspec

from ringforge_core.plugin.messages import Push, encode_message
from ringforge_core.ports.event_bus import Event

TOPIC = "system"


class QuotaWarning(Push):
    """`used` of `limit` are used up; `resets_at` is an ISO instant, absent for what does not begin anew."""

    wire: ClassVar[str] = "system:quota_warning"

    resource: str
    used: int
    limit: int
    resets_at: str | msgspec.UnsetType = msgspec.UNSET


def warning_event(warning: QuotaWarning, *, tenant_id: str, fleet_id: str, at: datetime) -> Event:
    """The warning as an event of one fleet's log."""
    return Event(
        event_id=f"evt_{uuid4()}",
        tenant_id=tenant_id,
        fleet_id=fleet_id,
        topic=TOPIC,
        push=QuotaWarning.wire,
        body=msgspec.Raw(encode_message(warning)),
        at=at,
        kind=warning.resource,
    )

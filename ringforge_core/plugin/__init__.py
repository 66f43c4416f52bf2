"""Write a plugin for Ringforge with what this package exports; `docs/writing-a-plugin.md` walks through one.

A plugin imports `ringforge_core.plugin`, `.ports`, `.errors` and `.testkit`, nothing else of core and no other plugin.

Routes and pages for people are in `ringforge_core.plugin.web`, which imports Litestar.
"""

from ringforge_core.plugin.capability import (
    AgentSession,
    Call,
    Capability,
    EventDeclaration,
    Hub,
    Member,
    Nodes,
    NoSettings,
    Pushes,
    event,
)
from ringforge_core.plugin.hookspecs import Adapter, AdapterContext, hookimpl
from ringforge_core.plugin.ids import iso, new_event_id, new_id, new_uuid, now
from ringforge_core.plugin.messages import Push, Reason, Reply, Request, encode_message, encode_payload
from ringforge_core.plugin.periodic import Periodic
from ringforge_core.plugin.records import Concern
from ringforge_core.plugin.schema import Instant, Json, metadata
from ringforge_core.plugin.secret import Secret
from ringforge_core.plugin.tenancy import FoundTenant, NewTenant

__all__ = [
    "Adapter",
    "AdapterContext",
    "AgentSession",
    "Call",
    "Capability",
    "Concern",
    "EventDeclaration",
    "FoundTenant",
    "Hub",
    "Instant",
    "Json",
    "Member",
    "NewTenant",
    "NoSettings",
    "Nodes",
    "Periodic",
    "Push",
    "Pushes",
    "Reason",
    "Reply",
    "Request",
    "Secret",
    "encode_message",
    "encode_payload",
    "event",
    "hookimpl",
    "iso",
    "metadata",
    "new_event_id",
    "new_id",
    "new_uuid",
    "now",
]

"""A group with its members, as the rules see it."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import msgspec

from ringforge_core.identity.ids import BASE62, iso
from ringforge_core.mesh.groups.messages import GroupType, Role, Status

_ID_LENGTH = 12


def new_group_id() -> str:
    """`grp_` and 12 base62 characters, 71 random bits."""
    return "grp_" + "".join(secrets.choice(BASE62) for _ in range(_ID_LENGTH))


class Membership(msgspec.Struct):
    agent_id: str
    role: Role
    joined_at: datetime


class Group(msgspec.Struct, kw_only=True):
    """One group while it is changed. `id` is the row's UUID; `members` are in the order in which they joined."""

    id: str
    tenant_id: str
    fleet_id: str
    group_id: str
    name: str
    type: GroupType
    created_by: str | None
    capabilities: msgspec.Raw
    settings: msgspec.Raw
    max_members: int
    auto_join: bool
    inserted_at: datetime
    active_at: datetime
    status: Status = "active"
    members: dict[str, Membership] = msgspec.field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return len(self.members) >= self.max_members

    @property
    def owner_count(self) -> int:
        return sum(member.role == "owner" for member in self.members.values())

    def heir(self) -> Membership | None:
        """Who takes a group over that has no owner: the admin who is longest in it, else the member."""
        by_standing = self.members.values()
        return next((member for member in by_standing if member.role == "admin"), next(iter(by_standing), None))

    def fields(self) -> dict[str, Any]:
        """The group object of the wire."""
        return {
            "group_id": self.group_id,
            "name": self.name,
            "type": self.type,
            "capabilities": self.capabilities,
            "status": self.status,
            "created_by": self.created_by,
            "member_count": len(self.members),
            "settings": self.settings,
            "inserted_at": iso(self.inserted_at),
        }

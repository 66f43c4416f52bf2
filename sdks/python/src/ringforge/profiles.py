"""The agents of the fleet as they present themselves, connected or not."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ringforge.requests import Requests, given


class Profile(msgspec.Struct, frozen=True):
    """What an agent shows of itself."""

    agent_id: str
    name: str | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    framework: str | None = None
    capabilities: tuple[str, ...] = ()
    total_connections: int = 0
    total_messages: int = 0
    last_seen_at: datetime | None = None
    inserted_at: datetime | None = None


class _Profiles(msgspec.Struct):
    agents: builtins.list[Profile]
    next_cursor: str | None = None


class Agents:
    """The fleet's profiles; and the way to another fleet."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def get(self, agent_id: str | None = None) -> Profile:
        """An agent of the fleet, this one by default. Raises `NotFound`."""
        return await self._requests.fetch("agent:get_profile", {"agent_id": agent_id}, Profile)

    async def list(self) -> builtins.list[Profile]:
        """All agents of the fleet, those that are away too; the newest first."""
        pages = self._requests.pages("agent:list_profiles", {}, _Profiles)
        return [profile async for page in pages for profile in page.agents]

    async def update(
        self,
        *,
        display_name: str | UnsetType | None = UNSET,
        avatar_url: str | UnsetType | None = UNSET,
        description: str | UnsetType | None = UNSET,
        tags: Iterable[str] | UnsetType = UNSET,
        metadata: Mapping[str, Any] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> Profile:
        """Change this agent's profile; what is not given stays, a text that is None goes. The fleet hears of it."""
        texts = given(display_name=display_name, avatar_url=avatar_url, description=description)
        payload = {field: text or "" for field, text in texts.items()} | given(
            tags=tags if isinstance(tags, UnsetType) else builtins.list(tags), metadata=metadata
        )
        return await self._requests.fetch("agent:update_profile", payload, Profile, idempotency_key=idempotency_key)

    async def migrate(self, fleet_id: str, *, idempotency_key: str | None = None) -> None:
        """Move to another fleet of the tenant; returns when the agent is there. Its streams go on there.

        Raises `NotFound` (`fleet_not_found`), `Conflict` (`same_fleet`, `name_conflict`), and `Forbidden` when the API
        key of this agent is for one fleet only.
        """
        payload = {"fleet_id": fleet_id}
        await self._requests.fetch("agent:migrate", payload, dict[str, Any], idempotency_key=idempotency_key)
        await self._requests.arrive_in(fleet_id)

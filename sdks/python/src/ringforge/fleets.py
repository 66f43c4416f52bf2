"""The tenant's fleets, for agents that an administrator has given the right to."""

from __future__ import annotations

import builtins
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ringforge.requests import Requests, given


class Fleet(msgspec.Struct, frozen=True):
    """A fleet; the counts are known in a list."""

    id: str
    name: str
    description: str | None = None
    agent_count: int | None = None
    squad_count: int | None = None
    inserted_at: datetime | None = None
    updated_at: datetime | None = None


class _Fleets(msgspec.Struct):
    fleets: builtins.list[Fleet]
    next_cursor: str | None = None


class Fleets:
    """Every call raises `Forbidden` for an agent without the right."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def create(self, name: str, description: str | None = None, *, idempotency_key: str | None = None) -> Fleet:
        """Raises `QuotaExceeded` (`fleets`)."""
        payload = {"name": name, "description": description}
        return await self._requests.fetch("fleet:create", payload, Fleet, idempotency_key=idempotency_key)

    async def list(self) -> builtins.list[Fleet]:
        """All fleets of the tenant, newest first."""
        pages = self._requests.pages("fleet:list", {}, _Fleets)
        return [fleet async for page in pages for fleet in page.fleets]

    async def update(
        self,
        fleet_id: str,
        *,
        name: str | UnsetType = UNSET,
        description: str | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Fleet:
        """Change what is given. Raises `NotFound`."""
        payload = given(fleet_id=fleet_id, name=name, description=description)
        return await self._requests.fetch("fleet:update", payload, Fleet, idempotency_key=idempotency_key)

    async def delete(self, fleet_id: str, *, idempotency_key: str | None = None) -> None:
        """Raises `Conflict` (`has_agents`, `last_fleet`) and `NotFound`."""
        payload = {"fleet_id": fleet_id}
        await self._requests.fetch("fleet:delete", payload, dict[str, Any], idempotency_key=idempotency_key)

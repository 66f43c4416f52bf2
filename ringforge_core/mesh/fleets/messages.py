"""What agents send and get about fleets; source: wire protocol 3.10."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ringforge_core.identity.claim import TEXT
from ringforge_core.mesh.fields import STORABLE
from ringforge_core.plugin import Reply, Request

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=TEXT)]
Description = Annotated[str, Meta(max_length=2000, pattern=STORABLE)]
FleetId = Annotated[str, Meta(max_length=100, pattern=STORABLE)]


class CreateFleet(Request):
    name: Name
    description: Description | None = None


class FleetCreated(Reply):
    wire = "fleet:created"

    id: str
    name: str
    description: str | None
    tenant_id: str


class ListFleets(Request):
    """`cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 200
    cursor: Annotated[str, Meta(max_length=200)] | None = None


class ListedFleet(msgspec.Struct, kw_only=True):
    """`agent_count` counts connected or not, `squad_count` the active ones; instants are ISO 8601 UTC."""

    id: str
    name: str
    description: str | None
    tenant_id: str
    inserted_at: str
    updated_at: str
    agent_count: int
    squad_count: int


class FleetList(Reply):
    """Newest first; `count` is of this page, `next_cursor` is null on the last one."""

    wire = "fleet:list"

    fleets: list[ListedFleet]
    count: int
    next_cursor: str | None


class UpdateFleet(Request):
    """What is not given stays; a null empties the description."""

    fleet_id: FleetId
    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET


class FleetUpdated(Reply):
    wire = "fleet:updated"

    id: str
    name: str
    description: str | None


class DeleteFleet(Request):
    fleet_id: FleetId


class FleetDeleted(Reply):
    wire = "fleet:deleted"

    fleet_id: str

"""The tenant's API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, post
from litestar.openapi.spec import Operation, RequestBody
from litestar.params import JSONBody
from msgspec import Meta

from ringforge_core.http.admin.call import MOST, Call, Cursor, Id, Limit, Repeatable
from ringforge_core.http.admin.refusals import refusals
from ringforge_core.http.admin.texts import GivenId, Name
from ringforge_core.identity import CreatedKey, KeyInfo, KeyKind, Keys

SHOWN_ONCE = "Keep the key now: it is shown this once."

Prefix = Annotated[str, Meta(description="The key's first characters, to tell it from others.", examples=["rf_live_8fJq"])]
FleetOfKey = Annotated[str | None, Meta(description="The fleet that it opens; null is the one named default.")]
ExpiresAt = Annotated[datetime | None, Meta(description="Null is never.")]


class KeyEntry(msgspec.Struct, kw_only=True):
    """A key without its text, which the hub does not have."""

    id: str
    prefix: Prefix
    type: KeyKind
    fleet_id: FleetOfKey
    name: str | None
    expires_at: ExpiresAt
    inserted_at: datetime


class KeyList(msgspec.Struct):
    """`count` is of this page; `next_cursor` is null on the last one."""

    keys: list[KeyEntry]
    count: int
    next_cursor: str | None


class NewKey(KeyEntry, kw_only=True):
    """A key that was just made: `key` is its text, shown this once."""

    key: str
    message: str = SHOWN_ONCE


class ReplacedKey(msgspec.Struct):
    """The old key, and until when it still works."""

    id: str
    expires_at: datetime


class KeyReplacement(NewKey, kw_only=True):
    replaces: ReplacedKey


class RevokedKey(msgspec.Struct):
    id: str
    revoked: bool = True


class CreateKey(msgspec.Struct, kw_only=True):
    """live keys are for agents, test keys for agents that are not billed, admin keys for this API."""

    type: KeyKind = "live"
    fleet_id: GivenId | None = None
    name: Name | None = None
    expires_at: Annotated[datetime, Meta(tz=True, examples=["2030-01-31T12:00:00Z"])] | None = None


class RotateKey(msgspec.Struct):
    grace_hours: Annotated[float, Meta(ge=0, le=720, description="How long the old key still works.")] = 24.0


@dataclass
class WithOptionalBody(Operation):
    """Litestar documents every body as required."""

    def __post_init__(self) -> None:
        if isinstance(self.request_body, RequestBody):
            self.request_body.required = False


class KeyController(Controller):
    path = "/keys"
    tags = ("API keys",)

    @get(summary="List the keys", response_description="A page of keys", responses=refusals())
    async def index(self, call: Call, limit: Limit = MOST, cursor: Cursor = None) -> KeyList:
        """Those that are not revoked, newest first."""
        page = await Keys(call.store).page(call.tenant_id, cursor=cursor, limit=limit)
        return KeyList([KeyEntry(**_fields(key)) for key in page.items], len(page.items), page.cursor)

    @post(
        summary="Make a key",
        response_description="The key, with its text for the only time",
        responses=refusals(404, 409, 413),
    )
    async def create(self, call: Call, once: Repeatable, data: JSONBody[CreateKey]) -> NewKey:
        """Its text is in the answer, and nowhere else."""
        made = await Keys(call.store).create(
            call.tenant_id, kind=data.type, fleet_id=data.fleet_id, name=data.name,
            expires_at=data.expires_at, actor=call.actor, once=once,
        )  # fmt: skip
        return NewKey(**_fields(made), key=made.key)

    @post(
        "/{key_id:str}/rotate",
        summary="Replace a key",
        response_description="The new key, with its text for the only time",
        responses=refusals(404, 409, 413),
        operation_class=WithOptionalBody,
    )
    async def rotate(
        self, call: Call, once: Repeatable, key_id: Id, data: JSONBody[RotateKey | None] = None
    ) -> KeyReplacement:
        """Makes a key of the same type, fleet and name. The old one goes on working for a grace period, then its
        connections are closed."""
        grace = timedelta(hours=(data or RotateKey()).grace_hours)
        rotated = await Keys(call.store).rotate(call.tenant_id, key_id, grace=grace, actor=call.actor, once=once)
        old = ReplacedKey(rotated.replaced_id, rotated.replaced_expires_at)
        return KeyReplacement(**_fields(rotated.key), key=rotated.key.key, replaces=old)

    @delete(
        "/{key_id:str}",
        status_code=200,
        summary="Revoke a key",
        response_description="It is revoked",
        responses=refusals(404, 409),
    )
    async def revoke(self, call: Call, once: Repeatable, key_id: Id) -> RevokedKey:
        """At once and for good; the connections that it opened are closed within seconds."""
        await Keys(call.store).revoke(call.tenant_id, key_id, actor=call.actor, once=once)
        return RevokedKey(key_id)


def _fields(key: KeyInfo | CreatedKey) -> dict[str, Any]:
    return {
        "id": key.id, "prefix": key.prefix, "type": key.kind, "fleet_id": key.fleet_id, "name": key.name,
        "expires_at": key.expires_at, "inserted_at": key.inserted_at,
    }  # fmt: skip

"""The administrator's own tenant."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get, patch
from litestar.params import JSONBody
from msgspec import UNSET, Meta, UnsetType

from ringforge_core.errors import Forbidden, NotFound
from ringforge_core.http.admin.call import AdminCall, Call, Id, Repeatable
from ringforge_core.http.admin.refusals import refusals
from ringforge_core.http.admin.texts import Name
from ringforge_core.identity.tenants import Tenant, get_tenant, rename_tenant
from ringforge_core.limits import Usage, read_usage


class ChangeTenant(msgspec.Struct):
    """What is not given stays. The plan is changed by billing only."""

    name: Name | UnsetType = UNSET
    plan: Annotated[str, Meta(description="Refused with `forbidden`.")] | UnsetType = UNSET


class TenantController(Controller):
    path = "/tenants"
    tags = ("Tenant",)

    @get("/{tenant_id:str}", summary="Show the tenant", response_description="The tenant", responses=refusals(404))
    async def show(self, call: Call, tenant_id: Id) -> Tenant:
        return await get_tenant(call.store, _own(call, tenant_id))

    @patch(
        "/{tenant_id:str}",
        summary="Rename the tenant",
        response_description="The tenant as it is now",
        responses=refusals(404, 409, 413),
    )
    async def change(self, call: Call, once: Repeatable, tenant_id: Id, data: JSONBody[ChangeTenant]) -> Tenant:
        """A tenant cannot change its own plan."""
        own = _own(call, tenant_id)
        if data.plan is not UNSET:
            raise Forbidden("A tenant's plan is changed by billing only.", fix="Leave `plan` out.", field="plan")
        if data.name is UNSET:
            return await get_tenant(call.store, own)
        return await rename_tenant(call.store, own, name=data.name, actor=call.actor, once=once)

    @get(
        "/{tenant_id:str}/usage",
        summary="Show what is used of the plan",
        response_description="What is used, by resource",
        responses=refusals(404),
    )
    async def usage(self, call: Call, tenant_id: Id) -> Usage:
        """`messages_today` begins anew at 00:00 UTC. A limit is a number or `unlimited`."""
        return await read_usage(call.store, call.quotas, _own(call, tenant_id))


def _own(call: AdminCall, tenant_id: str) -> str:
    if tenant_id != call.tenant_id:
        raise NotFound("There is no such tenant.")
    return tenant_id

"""All routes of the administration API, behind their guards."""

from __future__ import annotations

from typing import Any

from litestar import Response
from litestar.di import Provide

from ringforge_core.http.addresses import ClientAddress
from ringforge_core.http.admin.agents import AgentController
from ringforge_core.http.admin.audit import AuditController
from ringforge_core.http.admin.call import provide_call
from ringforge_core.http.admin.fleets import FleetController
from ringforge_core.http.admin.guards import only_administrators, only_known_parameters, only_possible_ids
from ringforge_core.http.admin.keys import KeyController
from ringforge_core.http.admin.squads import SquadController
from ringforge_core.http.admin.tenants import TenantController
from ringforge_core.http.idempotency import once_of
from ringforge_core.http.openapi import ADMIN_KEY
from ringforge_core.limits import Limits, Quotas
from ringforge_core.plugin.presences import Presences
from ringforge_core.plugin.web.router import HubRouter
from ringforge_core.ports.store import Store


def never_kept(response: Response[Any]) -> Response[Any]:
    """No cache on the way may keep what only one administrator is to see, least of all a key."""
    response.headers["cache-control"] = "no-store"
    return response


def administration(
    store: Store, client_address: ClientAddress, limits: Limits, presences: Presences, *, has_squads: bool
) -> HubRouter:
    """`has_squads`: the hub has the capability groups."""
    controllers = [TenantController, KeyController, FleetController, AgentController, AuditController]
    return HubRouter(
        "/api/v1",
        route_handlers=[*controllers, SquadController] if has_squads else controllers,
        guards=[only_administrators(store, client_address, limits), only_possible_ids, only_known_parameters],
        dependencies={
            "call": Provide(
                provide_call(store, presences, Quotas(limits.settings), has_squads=has_squads), sync_to_thread=False
            ),
            "once": Provide(once_of),
        },
        security=[{ADMIN_KEY: []}],
        after_request=never_kept,
    )

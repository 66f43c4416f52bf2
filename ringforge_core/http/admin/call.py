"""What a route is given: one request of an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from ringforge_core.identity.actor import Actor
from ringforge_core.identity.administrators import Administrator
from ringforge_core.limits import Quotas
from ringforge_core.plugin.presences import Presences
from ringforge_core.ports.store import Once, Store

MOST = 200
"""Items on a page."""


class AdminCall(msgspec.Struct, frozen=True):
    """Whose tenant it is about and who asks, and what the answer is made from."""

    tenant_id: str
    actor: Actor
    store: Store
    presences: Presences
    quotas: Quotas
    has_squads: bool


Call = NamedDependency[AdminCall]
Repeatable = NamedDependency[Once | None]
"""A route that writes takes it as `once`, and hands it to the one change that it makes."""
Id = FromPath[str]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="How many items at most.")]
CURSOR = r"^[A-Za-z0-9_=-]*$"
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=300, pattern=CURSOR, description="The `next_cursor` of the page before."),
]


def provide_call(
    store: Store, presences: Presences, quotas: Quotas, *, has_squads: bool
) -> Callable[[Request[Any, Any, Any]], AdminCall]:
    """The dependency `call`, of the administrator whom the guard let in."""

    def call(request: Request[Any, Any, Any]) -> AdminCall:
        administrator: Administrator = request.state.administrator
        return AdminCall(administrator.tenant_id, administrator.actor, store, presences, quotas, has_squads)

    return call

"""The routes of the capabilities, beside those of core and never in their place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.routes import ASGIRoute
from litestar.routes.base import BaseRoute
from litestar.types import ControllerRouterHandler

from ringforge_core.errors import PluginError
from ringforge_core.plugin.capability import Capability
from ringforge_core.plugin.web.router import HubRouter

Shape = tuple[str, ...]
"""A path by what it matches: its parts, with `ONE` for a parameter and `REST` for one that takes all that follows."""
ONE, REST = "{}", "{…}"


def add_routes(app: Litestar, capabilities: Iterable[Capability[Any]]) -> None:
    """Register what each capability gives. A path that core or another capability has already is a `PluginError`."""
    owners = {_shape(route): "core" for route in app.routes}
    for capability in capabilities:
        routers = [_as_router(handler) for handler in capability.routes()]
        shapes = {_shape(route): route.path for router in routers for route in router.routes}
        for shape, path in shapes.items():
            _refuse_taken(owners, shape, path, capability.name)
        owners.update(dict.fromkeys(shapes, capability.name))
        for router in routers:
            app.register(router)


def _as_router(handler: ControllerRouterHandler) -> Router:
    return handler if isinstance(handler, Router) else HubRouter("/", route_handlers=[handler])


def _refuse_taken(owners: dict[Shape, str], shape: Shape, path: str, capability: str) -> None:
    owner = owners.get(shape) or next((owners[other] for other in owners if _swallows(shape, other)), None)
    if owner is not None:
        raise PluginError(
            f"The capability {capability} gives the route {path}, which is in the way of one of {owner}.",
            fix=f"Give it another path, or take {capability} out of [capabilities] use.",
        )


def _shape(route: BaseRoute) -> Shape:
    parts = tuple(part if isinstance(part, str) else (REST if part.type is Path else ONE) for part in route.path_components)
    is_mount = isinstance(route, ASGIRoute) and route.route_handler.is_mount
    return (*parts, REST) if is_mount else parts


def _swallows(shape: Shape, other: Shape) -> bool:
    """Whether it takes all that follows, and the other one lies there."""
    return shape[-1:] == (REST,) and other[: len(shape) - 1] == shape[:-1]

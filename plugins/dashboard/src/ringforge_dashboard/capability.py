"""The capability dashboard: its routes, and the pages of core's capabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.types import ControllerRouterHandler, Guard

from ringforge_core.plugin import Capability, Hub, NoSettings
from ringforge_core.plugin.web import Page, ShellPage, browser_routes, only_signed_in
from ringforge_dashboard.desk import Desk, open_desk
from ringforge_dashboard.pages import CONTROLLERS, pages_of
from ringforge_dashboard.pages.shared import SharedPages, files, to_dashboard
from ringforge_dashboard.shell import HOME


class Dashboard(Capability[NoSettings]):
    name = "dashboard"
    home: ClassVar[str | None] = HOME

    def all_pages(self) -> list[Page]:
        """Those of all capabilities."""
        return [page for capability in self.hub.capabilities for page in capability.pages()]

    def pages(self) -> Sequence[Page]:
        return pages_of({capability.name for capability in self.hub.capabilities})

    async def in_shell(self, request: Request[Any, Any, Any], page: ShellPage) -> Response[Any]:
        desk = await open_desk(self, request)
        return desk.page(
            page.template, title=page.title, package=page.package, error=page.error, status=page.status, here=page.here,
            csrf=page.csrf, **page.data,
        )  # fmt: skip

    def greeting(self, url: str) -> str | None:
        return f"Dashboard: {url}{HOME}"

    def routes(self) -> Sequence[ControllerRouterHandler]:
        async def desk(request: Request[Any, Any, Any]) -> Desk:
            return await open_desk(self, request)

        changes, at_desk = [_guard_changes(self.hub)], {"desk": Provide(desk)}
        return [
            browser_routes(self.hub, "/", [to_dashboard]),
            browser_routes(self.hub, f"{HOME}/static", [files]),
            browser_routes(
                self.hub, HOME, [*CONTROLLERS, SharedPages], role="viewer", guards=changes, dependencies=at_desk
            ),
        ]


def _guard_changes(hub: Hub) -> Guard:
    """Everybody of a tenant may look; a change needs the role that its handler names in `opt`, or else that of a member."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        reads = connection.scope.get("method") in ("GET", "HEAD")
        role = handler.opt.get("role", "viewer" if reads else "member")
        if (check := only_signed_in(hub, role)(connection, handler)) is not None:
            await check

    return guard

"""The capability auth_passkeys: its routes, and its parts of the pages of accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.types import ControllerRouterHandler, Guard

from ringforge_auth_passkeys.challenges import clean
from ringforge_auth_passkeys.desk import Desk
from ringforge_auth_passkeys.pages import AddPages, OwnPages, SignInRoutes, script_file
from ringforge_auth_passkeys.passkeys import count_of, forget_added, list_passkeys
from ringforge_auth_passkeys.relying_party import relying_party
from ringforge_auth_passkeys.rendering import part
from ringforge_core.errors import Refused
from ringforge_core.plugin import Capability, Hub, NoSettings, Periodic
from ringforge_core.plugin.web import VISIT_COOKIE, PagePart, SignedIn, browser_routes, check_csrf, only_people
from ringforge_core.ports.store import Transaction

CLEAN_EVERY_SECONDS = 600.0


class Passkeys(Capability[NoSettings]):
    name = "auth_passkeys"
    migrations = "ringforge_auth_passkeys.migrations"

    def __init__(self, hub: Hub, settings: NoSettings) -> None:
        super().__init__(hub, settings)
        self._cleaning = Periodic("auth-passkeys-cleaning", lambda: clean(hub.store), CLEAN_EVERY_SECONDS)

    async def start(self) -> None:
        await self._cleaning.start()

    async def stop(self) -> None:
        await self._cleaning.stop()

    def routes(self) -> Sequence[ControllerRouterHandler]:
        async def desk(request: Request[Any, Any, Any]) -> Desk:
            # In a thread, since it holds up everybody else for 85 ms the first time, and takes nothing from then on.
            await asyncio.to_thread(import_module, "ringforge_auth_passkeys.proofs")
            return Desk(self.hub, request)

        at_desk = {"desk": Provide(desk)}
        in_browser, of_people = [_guard_browser(self.hub)], [only_people]
        return [
            browser_routes(self.hub, "/passkeys/static", [script_file]),
            browser_routes(self.hub, "/passkeys/sign-in", [SignInRoutes], guards=in_browser, dependencies=at_desk),
            browser_routes(
                self.hub, "/passkeys", [AddPages, OwnPages], role="viewer", guards=of_people, dependencies=at_desk
            ),
        ]

    async def sign_in_part(self, request: Request[Any, Any, Any], *, csrf: str, next_path: str) -> PagePart | None:
        if self._unavailable(request) is not None:
            return None
        return part("sign_in.html", scripted=True, csrf=csrf, next=next_path)

    async def security_part(self, request: Request[Any, Any, Any], person: SignedIn) -> PagePart | None:
        own = await list_passkeys(self.hub.store, person.user_id)
        return part("security.html", passkeys=own, unavailable=self._unavailable(request))

    def ways_in(self, tx: Transaction, user_id: str) -> int:
        return count_of(tx, user_id)

    def forget_added(self, tx: Transaction, user_id: str, since: datetime) -> None:
        forget_added(tx, user_id, since)

    def _unavailable(self, request: Request[Any, Any, Any]) -> Refused | None:
        """Why there are no passkeys at the address that was called."""
        try:
            relying_party(request, self.hub.public_url)
        except Refused as error:
            return error
        return None


def _guard_browser(hub: Hub) -> Guard:
    """Who is not signed in acts in the browser that was shown the form."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if isinstance(connection, Request):
            await check_csrf(connection, connection.cookies.get(VISIT_COOKIE), public_url=hub.public_url)

    return guard

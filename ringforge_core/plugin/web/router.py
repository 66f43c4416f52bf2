"""Routes for browsers: pages and forms, with the headers that keep them safe, and outside the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from litestar import Request, Response, Router
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.response import Redirect
from litestar.types import ASGIApp, ControllerRouterHandler, Guard, Message, Receive, Scope, Send

from ringforge_core.errors import RingforgeError, Unauthenticated
from ringforge_core.plugin.web.entrance import SIGN_IN_AGAIN
from ringforge_core.plugin.web.guard import SIGN_IN_REQUIRED, only_signed_in, person_of
from ringforge_core.plugin.web.navigation import wants_page
from ringforge_core.plugin.web.people import Role, people_of

if TYPE_CHECKING:
    from ringforge_core.plugin.capability import Hub

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""What each answer carries, unless the route sets its own."""
ONE_YEAR = "max-age=31536000; includeSubDomains"


class HubRouter(Router):
    """The routes of one hub, made for it and registered once.

    Litestar copies each router that it registers, with all that is in it, as it may be registered elsewhere as well. To
    copy a hundred routes, once a level, took some 80 ms of a hub's start.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> HubRouter:
        return self


def browser_routes(
    hub: Hub, path: str, handlers: Sequence[ControllerRouterHandler], *, role: Role | None = None,
    guards: Sequence[Guard] = (), dependencies: Mapping[str, Provide] | None = None,
) -> Router:  # fmt: skip
    """Handlers under `path`; with `role` only for people who are signed in with it or a higher one.

    Those handlers can take `person: Person`. Who is not signed in is led to the sign-in and back. `guards` are asked after
    that; `dependencies` are what the handlers can take besides.
    """
    of_person = {} if role is None else {"person": Provide(person_of, sync_to_thread=False)}
    return HubRouter(
        path,
        route_handlers=handlers,
        guards=[*([] if role is None else [only_signed_in(hub, role)]), *guards],
        dependencies={**of_person, **(dependencies or {})},
        exception_handlers={Unauthenticated: _to_sign_in(hub)},
        middleware=[SafeHeaders(https=is_https_url(hub.public_url))],
        include_in_schema=False,
    )


def is_https_url(url: str | None) -> bool:
    return url is not None and url.startswith("https:")


class SafeHeaders(ASGIMiddleware):
    """Adds `HEADERS` to every answer, those of errors included; over https also that it stays https."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, *, https: bool) -> None:
        self._https = https

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._https or scope["scheme"] == "https":
                    headers.setdefault("strict-transport-security", ONE_YEAR)
            await send(message)

        await next_app(scope, receive, send_with_headers)


def _to_sign_in(hub: Hub) -> Callable[[Request[Any, Any, Any], Unauthenticated], Response[Any]]:
    def lead(request: Request[Any, Any, Any], error: Unauthenticated) -> Response[Any]:
        if error.reason not in (SIGN_IN_REQUIRED, SIGN_IN_AGAIN) or not wants_page(request):
            answer: Response[Any] = request.app.exception_handlers[RingforgeError](request, error)
            return answer
        query = f"?{request.url.query}" if request.url.query else ""
        back = {"next": request.url.path + query} if request.method == "GET" else {}
        if error.reason == SIGN_IN_AGAIN:
            back["again"] = "1"
        path = people_of(hub).sign_in_path
        return Redirect(f"{path}?{urlencode(back)}" if back else path, status_code=303)

    return lead

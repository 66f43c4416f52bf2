"""What belongs to no page: the event stream, the theme, static files, and the pages that other capabilities give."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect, Stream

from ringforge_core.plugin.web import Visit, return_path
from ringforge_dashboard.desk import Answer, AtDesk
from ringforge_dashboard.live import stream
from ringforge_dashboard.rendering import MEDIA_TYPES, static_file
from ringforge_dashboard.shell import HOME, THEME_COOKIE, THEMES

ONE_YEAR = 365 * 24 * 3600
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # a proxy hands each piece on at once


@get("/", sync_to_thread=False)
def to_dashboard() -> Redirect:
    return Redirect(HOME, status_code=303)


@get("/{name:str}", sync_to_thread=False)
def files(name: FromPath[str]) -> Response[bytes]:
    if name not in MEDIA_TYPES:
        raise NotFoundException("There is no such file.")
    headers = {"cache-control": "public, max-age=31536000, immutable"}  # its address changes when it does
    return Response(static_file(name), media_type=MEDIA_TYPES[name], headers=headers)


class ThemeForm(msgspec.Struct):
    theme: str = ""
    next: str = ""


class SharedPages(Controller):
    path = "/"

    @get("/live")
    async def live(self, desk: AtDesk, request: Request[Any, Any, Any]) -> Stream:
        return Stream(stream(desk.dashboard, request, desk), media_type="text/event-stream", headers=STREAM_HEADERS)

    @get("/signed-in", status_code=204)
    async def signed_in(self, desk: AtDesk) -> None:
        """A tab whose stream was refused asks whether it must sign in again."""

    @post("/theme", opt={"role": "viewer"})
    async def theme(self, desk: AtDesk) -> Answer:
        """Light, dark, or as the system has it."""
        form = await desk.form(ThemeForm)
        answer: Answer = Redirect(return_path(form.next, default=HOME), status_code=303)
        known = form.theme in THEMES
        answer.set_cookie(
            Cookie(
                key=THEME_COOKIE, value=form.theme if known else "", path="/", httponly=True, samesite="lax",
                max_age=ONE_YEAR if known else 0,
            )
        )  # fmt: skip
        return answer

    @get("/{path:str}")
    async def other(self, desk: AtDesk, path: FromPath[str]) -> Answer:
        """A page that another capability gives."""
        page = next((page for page in desk.dashboard.all_pages() if page.path == path), None)
        if page is None or page.data is None or not desk.person.may(page.role):
            raise NotFoundException("There is no such page.")
        data = await page.data(Visit(person=desk.person, query=desk.query, fleet_id=desk.fleet.id))
        return desk.page(page.template, title=page.title, package=page.package, **data)

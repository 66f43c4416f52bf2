"""One request to a page of accounts: who comes, what the form says, and how it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.response import Redirect

from ringforge_accounts.pages.places import Place
from ringforge_accounts.pages.rendering import PACKAGE, render
from ringforge_accounts.sessions import Visitor
from ringforge_accounts.sign_in import Entered
from ringforge_accounts.tokens import new_token
from ringforge_core.errors import InvalidPayload, LimitReached, Refused
from ringforge_core.plugin.web import (
    SESSION_COOKIE,
    VISIT_COOKIE,
    ShellPage,
    SignedIn,
    csrf_token,
    is_https_url,
    return_path,
    shell_of,
)

if TYPE_CHECKING:
    from ringforge_accounts.capability import Accounts

TICKET_COOKIE = "_hub_ticket"
"""The first factor was good; good for the second one only."""
LONGEST_FIELD = 4000
CUT_BROWSER = 300

Form = TypeVar("Form", bound=msgspec.Struct)
Page = Response[Any]


class Desk:
    def __init__(self, accounts: Accounts, request: Request[Any, Any, Any]) -> None:
        self.accounts = accounts
        self.request = request
        self.address = accounts.hub.client_address(request.scope)
        self.visitor = Visitor(self.address, request.headers.get("user-agent", "")[:CUT_BROWSER] or None)
        self.cookie = request.cookies.get(SESSION_COOKIE)
        self.visit = request.cookies.get(VISIT_COOKIE) or new_token()
        self.origin = accounts.hub.public_url or str(request.base_url).rstrip("/")
        """The hub as this browser calls it."""
        self.base_url = accounts.hub.public_url or _own_address(request)
        """What links in mails begin with: nothing that the request says, for that may be an attacker's."""
        self._is_https = is_https_url(self.origin)

    @property
    def person(self) -> SignedIn | None:
        person: SignedIn | None = getattr(self.request.state, "person", None)
        return person

    def query(self, name: str) -> str:
        return str(self.request.query_params.get(name, ""))

    def next_path(self, given: str | None = None) -> str:
        """Where to go once signed in: a page of this hub."""
        return return_path(given or self.query("next"), default=self.accounts.landing)

    async def form(self, kind: type[Form]) -> Form:
        """The form's fields; what it leaves out is empty. Raises `InvalidPayload`."""
        given = await self.request.form()
        fields = {name: value for name, value in given.items() if isinstance(value, str)}
        if any(len(value) > LONGEST_FIELD for value in fields.values()):
            raise InvalidPayload("A field is too long.")
        try:
            return msgspec.convert(fields, kind, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidPayload("A field of this form is not right.", details=str(error)) from error

    async def show(
        self, place: Place, *, error: Refused | None = None, new_cookie: str | None = None, template: str | None = None,
        title: str | None = None, **data: Any,
    ) -> Page:  # fmt: skip
        """A page of who is signed in: in the dashboard's shell, if there is one. `error` is what was wrong with a form of
        it, `new_cookie` the session's from now on; `template` and `title` are another step of the same page."""
        shell, template, title = shell_of(self.accounts.hub), template or place.template, title or place.page.title
        status = 200 if error is None else _status(error)
        if shell is None:
            return self.page(
                template, status=status, error=error, new_cookie=new_cookie, here=place.page.path, title=title, theme=None,
                **data,
            )  # fmt: skip
        token = csrf_token(new_cookie or self.cookie or "")
        page = await shell.in_shell(
            self.request,
            ShellPage(
                package=PACKAGE, template=template, title=title, here=place.page.path, csrf=token, data=data, error=error,
                status=status,
            ),
        )  # fmt: skip
        return page if new_cookie is None else self.with_session(page, new_cookie)

    def page(
        self, template: str, *, status: int = 200, error: Refused | None = None, new_cookie: str | None = None,
        here: str | None = None, **data: Any,
    ) -> Page:  # fmt: skip
        """A page of its own; its forms carry the token of the session, or of the visit."""
        person = self.person
        token = csrf_token(new_cookie or (self.cookie if person is not None else None) or self.visit)
        text = render(
            template, person=person, csrf=token, error=error, accounts=self.accounts,
            here=here or self.request.url.path, **data,
        )  # fmt: skip
        cookies = [] if person is not None else [self._cookie(VISIT_COOKIE, self.visit, path="/")]
        page = Response(text, status_code=status, media_type=MediaType.HTML, cookies=cookies)
        return page if new_cookie is None else self.with_session(page, new_cookie)

    def refused(self, template: str, error: Refused, **data: Any) -> Page:
        """The form again, with what was wrong."""
        return self.page(template, status=_status(error), error=error, **data)

    def go(self, path: str) -> Page:
        return Redirect(path, status_code=303)

    def enter(self, entered: Entered, next_path: str) -> Page:
        """On as a person who is signed in, or to the second factor."""
        if entered.cookie is not None:
            return self.with_session(self.go(next_path), entered.cookie)
        page = self.go(f"/auth/second-factor?{urlencode({'next': next_path})}")
        page.set_cookie(self._cookie(TICKET_COOKIE, entered.ticket or "", path="/auth", max_age=600))
        return page

    def with_session(self, page: Page, cookie: str) -> Page:
        seconds = int(self.accounts.settings.session_hours * 3600)
        page.set_cookie(self._cookie(SESSION_COOKIE, cookie, path="/", max_age=seconds))
        page.set_cookie(self._cookie(TICKET_COOKIE, "", path="/auth", max_age=0))
        return page

    def with_visit(self, page: Page) -> Page:
        """For what begins at a provider while somebody is signed in."""
        page.set_cookie(self._cookie(VISIT_COOKIE, self.visit, path="/"))
        return page

    def without_session(self, page: Page) -> Page:
        page.set_cookie(self._cookie(SESSION_COOKIE, "", path="/", max_age=0))
        return page

    def _cookie(self, key: str, value: str, *, path: str, max_age: int | None = None) -> Cookie:
        return Cookie(
            key=key, value=value, path=path, max_age=max_age, httponly=True, secure=self._is_https, samesite="lax"
        )


def _status(error: Refused) -> int:
    return 429 if isinstance(error, LimitReached) else 400


def _own_address(request: Request[Any, Any, Any]) -> str:
    host, port = request.scope["server"] or ("127.0.0.1", None)
    shown = f"[{host}]" if ":" in host else host
    return f"{request.scope['scheme']}://{shown}" + (f":{port}" if port else "")


AtDesk = NamedDependency[Desk]
"""A route takes it as `desk`."""

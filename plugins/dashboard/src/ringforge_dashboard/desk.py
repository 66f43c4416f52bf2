"""One request to the dashboard: who comes, which fleet of their tenant they look at, and how it is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import MediaType, Request, Response
from litestar.di import NamedDependency
from litestar.response import Redirect

from ringforge_core.errors import InvalidPayload, NotFound, RingforgeError
from ringforge_core.plugin.administration import Administration, Operator, Position
from ringforge_core.plugin.records import CountedFleet
from ringforge_core.plugin.web import SignedIn, people_of, person_of
from ringforge_dashboard.live import Live, live_url
from ringforge_dashboard.rendering import PACKAGE, render
from ringforge_dashboard.shell import DONE, THEME_COOKIE, THEMES, navigation, section_of
from ringforge_dashboard.wording import Refusal, for_people, status_of

if TYPE_CHECKING:
    from ringforge_dashboard.capability import Dashboard

LONGEST_FIELD = 1_000_000
FORM_KEY = "_once"
"""The field that `form` of components.html draws into each form."""

Form = TypeVar("Form", bound=msgspec.Struct)
Answer = Response[Any]


class Desk:
    """`fleet` is the one that the query names, or the tenant's first; `open_desk` makes it."""

    def __init__(
        self, dashboard: Dashboard, request: Request[Any, Any, Any], fleets: Sequence[CountedFleet], fleet: CountedFleet
    ) -> None:
        self.dashboard = dashboard
        self.request = request
        self.person: SignedIn = person_of(request)
        self.fleets = fleets
        self.fleet = fleet
        self.query = {name: str(value) for name, value in request.query_params.items()}

    @property
    def administration(self) -> Administration:
        return self.dashboard.hub.administration

    @property
    def tenant_id(self) -> str:
        return self.person.tenant_id

    @property
    def operator(self) -> Operator:
        person = self.person
        return Operator(
            tenant_id=person.tenant_id, user_id=person.user_id, name=person.name or person.email,
            address=self.dashboard.hub.client_address(self.request.scope), key_id=person.key_id,
        )  # fmt: skip

    @property
    def suffix(self) -> str:
        """The query that keeps the fleet; empty for the first one."""
        return "" if self.fleet.id == self.fleets[0].id else "?" + urlencode({"fleet": self.fleet.id})

    def path(self, path: str, **query: str) -> str:
        """The address of a page of the dashboard that keeps the fleet, or is about the one in the query."""
        kept = {} if self.fleet.id == self.fleets[0].id else {"fleet": self.fleet.id}
        given = {name: value for name, value in query.items() if value}
        return f"{path}?{urlencode(kept | given)}" if kept or given else path

    async def say(self, event: str, /, **payload: Any) -> Any:
        """What the wire event of an agent does, as `dashboard` in this fleet; a copy of a form does nothing."""
        once = await self.once() if self.request.method == "POST" else None
        return await self.administration.say(self.operator, self.fleet.id, event, payload, once=once)

    async def once(self) -> str | None:
        """By what a form's copy is known, sent by a second click or a reload: the key that the form was drawn with, and
        all that it says. Gone back to and filled in anew, it is another one."""
        given = await self.request.form()
        if not isinstance(given.get(FORM_KEY), str):
            return None
        said = sorted((name, value) for name, value in given.items() if isinstance(value, str))
        return msgspec.json.encode([self.request.url.path, self.fleet.id, said]).decode()

    async def agent_names(self, agent_ids: Iterable[str | None]) -> Mapping[str, str]:
        """Of those that have a name."""
        return await self.administration.agent_names(self.tenant_id, {each for each in agent_ids if each})

    async def form(self, kind: type[Form]) -> Form:
        """The form's fields; what it leaves out is empty. Raises `InvalidPayload`."""
        given = await self.request.form()
        fields = {name: value for name, value in given.items() if isinstance(value, str)}
        if any(len(value) > LONGEST_FIELD for value in fields.values()):
            raise InvalidPayload("A field is too long.", fix="Shorten it.")
        try:
            return msgspec.convert(fields, kind, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidPayload("A field of this form is not right.", fix=f"{error}.") from error

    async def position(self) -> Position:
        """Where the fleet's log is: taken before a page's data, so that its stream leaves nothing out."""
        return await self.administration.position(self.tenant_id, self.fleet.id)

    def page(
        self, template: str, *, title: str, package: str = PACKAGE, live: Live | None = None,
        error: RingforgeError | None = None, status: int | None = None, section: str | None = None,
        here: str | None = None, csrf: str | None = None, **data: Any,
    ) -> Answer:  # fmt: skip
        """A page in the shell; with `live` it goes on living. `here` is its address, if another was asked; `section` is
        where another fleet is looked at from here, by default the page's place in the navigation."""
        person, here = self.person, here or self.request.url.path
        theme = self.request.cookies.get(THEME_COOKIE)
        links = navigation(self.dashboard.all_pages(), person, here=here, suffix=self.suffix)
        text = render(
            template, package=package, title=title, desk=self, person=person, csrf=csrf or person.csrf_token,
            error=error and for_people(error), links=links, here=here, section=section or section_of(links),
            people=people_of(self.dashboard.hub), theme=theme if theme in THEMES else None,
            done=DONE.get(self.query.get("done", "")), live_url=live_url(self, live) if live is not None else None,
            **data,
        )  # fmt: skip
        if status is None:
            status = 200 if error is None else status_of(error)
        return Response(text, status_code=status, media_type=MediaType.HTML)

    def refused(self, template: str, error: Refusal, **data: Any) -> Answer:
        """The page again, with what was wrong."""
        return self.page(template, error=error, **data)

    def go(self, path: str, **query: str) -> Answer:
        return Redirect(self.path(path, **query), status_code=303)

    def go_to(self, path: str, **query: str) -> Answer:
        """As `go`, to where the fleet is not kept."""
        return Redirect(f"{path}?{urlencode(query)}" if query else path, status_code=303)

    def go_to_fleet(self, fleet_id: str) -> Answer:
        """The same page in the fleet that it belongs to."""
        return Redirect(f"{self.request.url.path}?{urlencode({'fleet': fleet_id})}", status_code=303)


async def open_desk(dashboard: Dashboard, request: Request[Any, Any, Any]) -> Desk:
    """Raises `NotFound` for a fleet that the person's tenant does not have."""
    fleets = await dashboard.hub.administration.fleets(person_of(request).tenant_id)
    wanted = request.query_params.get("fleet")
    fleet = fleets[0] if wanted is None else next((each for each in fleets if each.id == wanted), None)
    if fleet is None:
        raise NotFound("There is no such fleet.", fix="Choose one in the dashboard.")
    return Desk(dashboard, request, fleets, fleet)


AtDesk = NamedDependency[Desk]
"""A route takes it as `desk`."""

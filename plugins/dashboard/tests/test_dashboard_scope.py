"""Who may see and do what: nothing without a session, nothing of another tenant, nothing above one's role.

The routes are those that the hub's capabilities give to browsers, so a new one is tried by itself, or fails here until
`SAMPLES` says what its form would hold.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import sqlalchemy as sa
from dashboard_visitor import PASSWORD, Office, Visitor
from litestar import Litestar

from ringforge_core.plugin.schema import metadata

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFUSED = {400, 403, 404}
LAST = ("/account/sessions/end-all", "/auth/logout")
"""They end the session of who asks."""


class Theirs(NamedTuple):
    """What the first tenant has, by the names of the routes' parameters and of the forms' fields."""

    tenant_id: str
    fleet_id: str
    agent_id: str
    key_id: str
    group_id: str
    user_id: str
    session_id: str
    invite_id: str
    entry: str = "secret/plan"
    words: str = "what they know"


NO_FIELDS: dict[str, str] = {}
SAMPLES: dict[str, dict[str, str]] = {
    "/dashboard/add-agent/make": {"name": "scout"},
    "/dashboard/agents/{agent_id:str}/delete": NO_FIELDS,
    "/dashboard/agents/{agent_id:str}/kick": {"block": "yes"},
    "/dashboard/agents/{agent_id:str}/move": {"fleet_id": "{fleet_id}"},
    "/dashboard/agents/{agent_id:str}/rename": {"name": "mine"},
    "/dashboard/agents/{agent_id:str}/unblock": NO_FIELDS,
    "/dashboard/fleets/create": {"name": "north"},
    "/dashboard/fleets/{fleet_id:str}/delete": NO_FIELDS,
    "/dashboard/fleets/{fleet_id:str}/rename": {"name": "mine"},
    "/dashboard/keys/create": {"kind": "live", "name": "mine", "fleet_id": "{fleet_id}"},
    "/dashboard/keys/{key_id:str}/revoke": NO_FIELDS,
    "/dashboard/keys/{key_id:str}/rotate": {"grace_hours": "0"},
    "/dashboard/memory/delete": {"key": "{entry}", "version": "1"},
    "/dashboard/memory/save": {"key": "{entry}", "value": "mine", "version": "1"},
    "/dashboard/messages/{agent_id:str}/send": {"text": "hello"},
    "/dashboard/theme": {"theme": "dark"},
    "/account/connect/{adapter:str}": NO_FIELDS,
    "/account/disconnect": {"provider": "google"},
    "/account/join": {"code": "{invite_id}"},
    "/account/password": {"old": "wrong", "password": "wrong"},
    "/account/second-factor": {"code": "000000"},
    "/account/second-factor/begin": NO_FIELDS,
    "/account/second-factor/off": {"code": "000000"},
    "/account/sessions/end": {"session_id": "{session_id}"},
    "/account/sessions/end-all": NO_FIELDS,
    "/account/switch": {"tenant_id": "{tenant_id}"},
    "/auth/logout": NO_FIELDS,
    "/settings/delete": {"confirm": "olga@example.org", "password": "wrong"},
    "/settings/email": {"email": "olga@example.org", "password": PASSWORD},
    "/settings/email/confirm": {"token": "wrong"},
    "/settings/name": {"name": "Eve"},
    "/settings/tenant": {"tenant_name": "mine"},
    "/team/invites": {"role": "viewer", "email": ""},
    "/team/invites/revoke": {"id": "{invite_id}"},
    "/team/remove": {"user_id": "{user_id}"},
    "/team/role": {"user_id": "{user_id}", "role": "viewer"},
    "/team/waitlist/approve": {"id": "{invite_id}"},
}
"""What the form of each POST holds; in braces the first tenant's."""
PARAMETERS = {"adapter": "google", "path": "nothing-here"}
"""Of paths, those that name nothing of a tenant."""


def routes(office: Office) -> list[tuple[str, str]]:
    """The method and path of all that is for people who are signed in; what ends their session comes last."""
    given = [route for capability in office.hub.hub.capabilities for route in capability.routes()]
    app = Litestar(route_handlers=given, openapi_config=None)
    found = [
        (method, route.path)
        for route in app.routes
        for method in route.methods - {"OPTIONS", "HEAD"}  # type: ignore[union-attr]  # all are of HTTP
        if route.path != "/" and "/static/" not in route.path
        if not route.path.startswith("/auth/") or route.path in LAST
    ]
    return sorted(found, key=lambda each: (each[1] in LAST, each[1], each[0]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(shared_office: Office) -> Theirs:
    office, keys = shared_office, shared_office.hub.keys
    async with office.agent("their-agent") as agent:
        agent_id = (await agent.join())["agent_id"]
        group_id = (await agent.ok("group:create", {"name": "their-squad"}))["group_id"]
        await agent.ok("memory:set", {"key": Theirs._field_defaults["entry"], "value": Theirs._field_defaults["words"]})
        await agent.ok("direct:send", {"to": "dashboard", "message": {"text": "their-words"}})
    key = await office.hub.hub.administration.create_key(office.operator, kind="live", name="their-key")
    await office.owner.submit("/team", "/team/invites", role="viewer", email="", max_uses="1", days="7")

    async def only(table: str, column: str) -> str:
        query = sa.select(metadata.tables[table].c[column]).limit(1)
        return str(await office.hub.hub.store.read(lambda connection: connection.execute(query).scalar_one()))

    return Theirs(
        keys.tenant_id, keys.fleet_id, agent_id, key.id, group_id, user_id=await only("users", "id"),
        session_id=await only("user_sessions", "id"), invite_id=await only("invites", "id"),
    )  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stranger(shared_office: Office, theirs: Theirs) -> AsyncIterator[Visitor]:
    """The owner of another tenant."""
    visitor = await shared_office.newcomer("eve@example.org")
    yield visitor
    await visitor.client.aclose()


async def test_nobody_gets_in_without_a_session(shared_office: Office, theirs: Theirs) -> None:
    visitor = shared_office.visitor()
    for method, path in routes(shared_office):
        answer = await visitor.client.request(method, filled(path, theirs), headers={"accept": "text/html"})
        assert (method, path, answer.status_code) == (method, path, 303)
        assert answer.headers["location"].startswith("/auth/login")
    await visitor.client.aclose()


async def test_no_form_is_taken_without_its_token(shared_office: Office, theirs: Theirs) -> None:
    owner, token = shared_office.owner, await shared_office.owner.token()
    for method, path in routes(shared_office):
        if method == "POST":
            answer = await owner.post(filled(path, theirs))
            assert (path, answer.status_code) == (path, 403)
            answer = await owner.client.post(
                filled(path, theirs), data={"_csrf": token}, headers={"sec-fetch-site": "cross-site"}
            )
            assert (path, answer.status_code) == (path, 403)


async def test_a_viewer_looks_and_changes_nothing(shared_office: Office, theirs: Theirs) -> None:
    page = (
        await shared_office.owner.submit("/team", "/team/invites", role="viewer", email="", max_uses="1", days="7")
    ).text
    viewer = await shared_office.newcomer("vera@example.org")
    code = re.findall(r"invite=([a-z2-7-]+)", page)[0]
    assert (await viewer.post("/account/join", _csrf=await viewer.token(), code=code)).status_code == 303
    token = await viewer.token()
    assert "their-agent" in await viewer.open("/dashboard/agents")
    for method, path in routes(shared_office):
        if method == "POST" and path.startswith("/dashboard") and path != "/dashboard/theme":
            answer = await viewer.post(filled(path, theirs), _csrf=token)
            assert (path, answer.status_code) == (path, 403)
    shown = await viewer.open(f"/dashboard/agents/{theirs.agent_id}")
    assert "<button" not in shown.partition("<main")[2]
    await viewer.client.aclose()


async def test_d117_nothing_of_another_tenant_is_shown_or_done(
    shared_office: Office, theirs: Theirs, stranger: Visitor
) -> None:
    """Each route with the other tenant's ids in its path, its form and its query."""
    before = await everything_of(shared_office, theirs)
    secrets = [*theirs[2:8], theirs.words, "their-agent", "their-squad", "their-words", "their-key", "Olga"]
    token = await stranger.token()
    for method, path in routes(shared_office):
        form = {name: text.format(**theirs._asdict()) for name, text in SAMPLES[path].items()} if method == "POST" else {}
        address = filled(path, theirs)
        names_theirs = address != path or any("{" in text for text in SAMPLES.get(path, {}).values())
        for query in (f"?key={theirs.entry}" if path.endswith("/entry") else "", f"?fleet={theirs.fleet_id}"):
            if method == "GET":
                status, text = await look(stranger, address + query)
            else:
                answer = await stranger.post(address + query, _csrf=token, **form)
                status, text = answer.status_code, answer.text
            where = f"{method} {address}{query}: {status}"
            assert status < 500, where
            if query.startswith("?fleet") and path.startswith("/dashboard"):
                assert status == 404, where
            elif names_theirs or "key=" in query:
                assert status in REFUSED, where
            assert [secret for secret in secrets if secret in text] == [], where
    assert await everything_of(shared_office, theirs) == before


async def look(visitor: Visitor, address: str) -> tuple[int, str]:
    """The status, and the page; of an event stream what it begins with."""
    async with visitor.client.stream("GET", address) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code, await anext(answer.aiter_text())
        return answer.status_code, (await answer.aread()).decode()


async def everything_of(office: Office, theirs: Theirs) -> dict[str, list[Any]]:
    """Every row of the first tenant and of its owner."""

    def read(connection: sa.Connection) -> dict[str, list[Any]]:
        rows: dict[str, list[Any]] = {}
        for table in metadata.tables.values():
            own = [
                table.c[name] == value
                for name in ("tenant_id", "user_id")
                if (value := getattr(theirs, name)) and name in table.c
            ]
            if own and sa.inspect(connection).has_table(table.name):
                rows[table.name] = sorted(map(repr, connection.execute(sa.select(table).where(sa.or_(*own)))))
        return rows

    return await office.hub.hub.store.read(read)


def filled(path: str, theirs: Theirs) -> str:
    """The path with the first tenant's ids in it. A parameter that is new here needs a sample."""
    known = theirs._asdict() | PARAMETERS
    return re.sub(r"\{(\w+):\w+\}", lambda found: known[found[1]], path)

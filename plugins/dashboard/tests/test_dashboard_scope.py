"""Who may see and do what: nothing without a session, nothing of another tenant, nothing above one's role."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from dashboard_visitor import PASSWORD, Office, Visitor, hidden
from litestar import Litestar
from ringforge_dashboard import Dashboard

from ringforge_core.plugin.administration import Operator

FOR_ALL = "/dashboard/static/{name:str}"


class Theirs(NamedTuple):
    """What the first tenant has, by the names of the routes' parameters."""

    agent_id: str
    key_id: str
    group_id: str


def routes(office: Office) -> list[tuple[str, str]]:
    """The method and path of all that the dashboard gives to people."""
    dashboard = next(part for part in office.hub.hub.capabilities if isinstance(part, Dashboard))
    app = Litestar(route_handlers=list(dashboard.routes()), openapi_config=None)
    return sorted(
        (method, route.path)
        for route in app.routes
        if route.path.startswith("/dashboard") and route.path != FOR_ALL
        for method in route.methods - {"OPTIONS", "HEAD"}  # type: ignore[union-attr]  # all are of HTTP
    )


@pytest.fixture
async def theirs(office: Office) -> Theirs:
    keys, administration = office.hub.keys, office.hub.hub.administration
    operator = Operator(tenant_id=keys.tenant_id, user_id="user", name="Olga")
    async with office.agent("ada") as ada:
        agent_id = (await ada.join())["agent_id"]
        group_id = (await ada.ok("group:create", {"name": "squad"}))["group_id"]
    key = await administration.create_key(operator, kind="live", name="theirs")
    return Theirs(agent_id, key.id, group_id)


@pytest.fixture
async def stranger(office: Office) -> AsyncIterator[Visitor]:
    """The owner of another tenant."""
    visitor = await registered(office, "eve@example.org")
    yield visitor
    await visitor.client.aclose()


async def registered(office: Office, email: str) -> Visitor:
    visitor = office.visitor()
    accounts = next(part for part in office.hub.hub.capabilities if part.name == "accounts")
    mails: asyncio.Queue[str] = asyncio.Queue()
    accounts.mailer.send = lambda mail: mails.put_nowait(mail.text)
    await visitor.submit("/auth/register", "/auth/register", name="Eve", email=email, password=PASSWORD, invite="")
    async with asyncio.timeout(10):
        path = re.findall(r"https?://[^/]+(/\S+)", await mails.get())[0]
    page = await visitor.open(path)
    answer = await visitor.post("/auth/verify", **hidden(page, "/auth/verify"), password=PASSWORD)
    assert answer.status_code == 303, answer.text
    return visitor


async def test_nobody_gets_in_without_a_session(office: Office, theirs: Theirs) -> None:
    visitor = office.visitor()
    for method, path in routes(office):
        answer = await visitor.client.request(method, filled(path, theirs), headers={"accept": "text/html"})
        assert (method, path, answer.status_code) == (method, path, 303)
        assert answer.headers["location"].startswith("/auth/login")
    await visitor.client.aclose()


async def test_d117_nothing_of_another_tenant_is_shown_or_done(office: Office, theirs: Theirs, stranger: Visitor) -> None:
    token = await stranger.token()
    fleet_id = office.hub.keys.fleet_id
    for method, path in routes(office):
        tries = [f"{filled(path, theirs)}?fleet={fleet_id}"]
        if any(f"{{{name}:" in path for name in Theirs._fields):
            tries.append(filled(path, theirs))
        for address in tries:
            answer = await (stranger.client.get(address) if method == "GET" else stranger.post(address, _csrf=token))
            assert (method, address, answer.status_code) in [(method, address, 404), (method, address, 400)]
    detail = await office.hub.hub.administration.agent(office.hub.keys.tenant_id, theirs.agent_id)
    assert (detail.agent.name, detail.blocked_at) == ("ada", None)


async def test_no_form_is_taken_without_its_token(office: Office, theirs: Theirs) -> None:
    for method, path in routes(office):
        if method == "POST":
            answer = await office.owner.post(filled(path, theirs))
            assert (path, answer.status_code) == (path, 403)
            answer = await office.owner.client.post(
                filled(path, theirs), data={"_csrf": await office.owner.token()}, headers={"sec-fetch-site": "cross-site"}
            )
            assert (path, answer.status_code) == (path, 403)


async def test_a_viewer_looks_and_changes_nothing(office: Office, theirs: Theirs, stranger: Visitor) -> None:
    page = (await office.owner.submit("/team", "/team/invites", role="viewer", email="", max_uses="1", days="7")).text
    code = re.findall(r"invite=([a-z2-7-]+)", page)[0]
    assert (await stranger.submit("/settings", "/account/join", code=code)).status_code == 303
    token = await stranger.token()
    assert "ada" in await stranger.open("/dashboard/agents")
    for method, path in routes(office):
        if method == "POST" and path != "/dashboard/theme":
            answer = await stranger.post(filled(path, theirs), _csrf=token)
            assert (path, answer.status_code) == (path, 403)
    assert "<button" not in main_of(await stranger.open(f"/dashboard/agents/{theirs.agent_id}"))


def filled(path: str, theirs: Theirs) -> str:
    """The path with the first tenant's ids in it; other parameters are names within a fleet."""
    return re.sub(r"\{(\w+):\w+\}", lambda found: getattr(theirs, found[1], "some"), path)


def main_of(page: str) -> str:
    return page.partition("<main")[2]

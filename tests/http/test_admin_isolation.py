"""Every route of the document is called with a second tenant's ids: a new route without isolation fails here."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio
from admin_client import Admin
from admin_routes import Belongings, routes

from ringforge_core.testkit.hub import TestHub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def ours(acme: Admin) -> Belongings:
    belongings = Belongings(acme)
    await belongings.make()
    return belongings


@pytest_asyncio.fixture(loop_scope="module")
async def theirs(globex: Admin) -> Belongings:
    belongings = Belongings(globex)
    await belongings.make()
    return belongings


async def test_every_route_with_another_tenants_ids_finds_nothing_tells_nothing_changes_nothing(
    hub: TestHub, ours: Belongings, theirs: Belongings
) -> None:
    """D-03, D-04, D-05, D-08: one foreign id among good ones is enough to be refused."""
    before = await theirs.seen()
    for route in await routes(hub):
        assert route.ids == [name for name in route.ids if name in ours.ids], f"{route.path}: add an id to Belongings"
        for foreign in route.ids:
            path = route.path.format(**ours.ids | {foreign: theirs.ids[foreign]})
            answer = await ours.admin.http.request(route.method, path, json=route.body)
            assert answer.status_code == 404, f"{route.method} {path}: {answer.text}"
            assert not {secret for secret in theirs.secrets if secret in answer.text}, answer.text
    assert await theirs.seen() == before


async def test_no_list_shows_what_another_tenant_has(hub: TestHub, ours: Belongings, theirs: Belongings) -> None:
    lists = [route for route in await routes(hub) if route.method == "GET"]
    assert len(lists) > 5
    for route in lists:
        answer = await ours.admin.http.get(route.path.format(**ours.ids))
        assert answer.status_code == 200, answer.text
        assert not {secret for secret in theirs.secrets if secret in answer.text}, answer.text
    filtered = await ours.admin.ok("GET", f"/agents?fleet_id={theirs.ids['fleet_id']}")
    assert filtered["agents"] == []


async def test_every_route_is_for_administrators_only(hub: TestHub, ours: Belongings) -> None:
    """D-33: the same answers whatever the path and the body are, so nothing is told before the key is known."""
    ends = {None: 401, "rf_admin_00000000000000000000000000000000": 401, ours.admin.keys.agent_key: 403}
    for route in await routes(hub):
        assert route.secured, f"{route.method} {route.path} does not say that it needs a key"
        for key, status in ends.items():
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            async with httpx.AsyncClient(base_url=f"{hub.http_url}/api/v1", headers=headers) as stranger:
                path = route.path.format(**ours.ids)
                answer = await stranger.request(route.method, path, json=route.body)
                assert answer.status_code == status, f"{route.method} {path}: {answer.text}"
                assert answer.json()["error"] in ("missing_authorization", "invalid_api_key", "forbidden")


STRANGE_IDS = ["7", "%00", "%20", "..%2f", "'or'1'='1", "x" * 500, "ü", "%ff"]


async def test_d91_an_id_of_any_form_that_is_none_is_not_found(hub: TestHub, ours: Belongings) -> None:
    cases = [(route, name, wrong) for route in await routes(hub) for name in route.ids for wrong in STRANGE_IDS]
    assert len(cases) > 100
    for route, name, wrong in cases:
        path = route.path.format(**ours.ids | {name: wrong})
        answer = await ours.admin.http.request(route.method, path, json=route.body)
        assert answer.status_code in (404, 405), f"{route.method} {path}: {answer.status_code} {answer.text}"

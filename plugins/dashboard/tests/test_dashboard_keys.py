"""Keys are made when that is confirmed, are shown once, and nowhere else."""

from __future__ import annotations

import re

import pytest
from dashboard_visitor import Office

from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = re.compile(r"rf_(?:live|test|admin)_\w{32}")


async def test_d119_a_key_is_shown_once_and_works(shared_office: Office) -> None:
    keys = "/dashboard/keys"
    before = await count(shared_office)
    assert KEY.findall(await shared_office.owner.open(keys)) == []
    assert await count(shared_office) == before  # a look makes no key
    made = await shared_office.owner.submit(keys, f"{keys}/create", kind="live", name="crawler", fleet_id="", days="30")
    (key,) = KEY.findall(made.text)
    assert made.status_code == 201 or made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    assert "location" not in made.headers
    assert KEY.findall(await shared_office.owner.open(keys)) == []
    async with PhoenixClient(shared_office.hub.websocket_url, api_key=key, agent={"name": "crawler"}) as agent:
        await agent.join()


async def test_a_key_is_replaced_with_grace_and_revoked(shared_office: Office) -> None:
    keys = "/dashboard/keys"
    made = await shared_office.owner.submit(keys, f"{keys}/create", kind="live", name="old", fleet_id="", days="0")
    old = KEY.findall(made.text)[0]
    key_id = re.findall(r"/dashboard/keys/([\w-]+)/rotate", made.text)[0]
    replaced = await shared_office.owner.submit(keys, f"{keys}/{key_id}/rotate", grace_hours="24")
    (new,) = KEY.findall(replaced.text)
    for key in (old, new):
        async with PhoenixClient(shared_office.hub.websocket_url, api_key=key, agent={"name": "a"}) as agent:
            await agent.join()
    async with PhoenixClient(shared_office.hub.websocket_url, api_key=old, agent={"name": "a"}) as agent:
        await agent.join()
        answer = await shared_office.owner.submit(keys, f"{keys}/{key_id}/revoke")
        assert answer.headers["location"] == "/dashboard/keys?done=revoked"
        assert (await agent.expect_close())[0] == 1008


async def test_a_key_that_cannot_be_made_says_why(shared_office: Office) -> None:
    keys = "/dashboard/keys"
    answer = await shared_office.owner.submit(keys, f"{keys}/create", kind="live", name="x" * 200, fleet_id="", days="0")
    assert answer.status_code == 400
    assert "Use at most 100 characters" in answer.text


async def test_a_key_does_not_live_longer_than_a_calendar(shared_office: Office) -> None:
    for days in ("-1", "9" * 30):
        answer = await shared_office.owner.submit("/dashboard/keys", "/dashboard/keys/create", kind="live", days=days)
        assert answer.status_code == 400


async def count(shared_office: Office) -> int:
    return len((await shared_office.hub.hub.administration.keys(shared_office.hub.keys.tenant_id)).items)

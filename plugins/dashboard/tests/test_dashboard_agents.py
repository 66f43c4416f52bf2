"""One agent: what is known of it, and what can be done with it without a script."""

from __future__ import annotations

import base64
import hashlib

import pytest
from dashboard_visitor import Office
from nacl.signing import SigningKey

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_page_tells_the_fingerprint_of_the_public_key(shared_office: Office) -> None:
    key = SigningKey.generate().verify_key.encode()
    encoded = base64.b64encode(key).decode()
    async with shared_office.agent("ada", public_key=encoded) as ada:
        page = await shared_office.owner.open(f"/dashboard/agents/{(await ada.join())['agent_id']}")
    assert encoded.replace("+", "&#43;") in page or encoded in page
    assert hashlib.sha256(key).hexdigest()[:4] + " " in page


async def test_d118_who_is_blocked_stays_out_until_let_in_again(shared_office: Office) -> None:
    async with shared_office.agent("ada") as ada:
        path = f"/dashboard/agents/{(await ada.join())['agent_id']}"
        answer = await shared_office.owner.submit(path, f"{path}/kick", block="yes")
        assert answer.headers["location"] == f"{path}?done=blocked"
        assert (await ada.expect_close())[0] == 1008
    with pytest.raises(Exception, match="403"):
        await shared_office.agent("ada").__aenter__()
    assert "It is blocked since" in await shared_office.owner.open(path)
    await shared_office.owner.submit(path, f"{path}/unblock")
    async with shared_office.agent("ada") as ada:
        await ada.join()


async def test_an_agent_is_renamed_unless_the_name_is_taken(shared_office: Office) -> None:
    async with shared_office.agent("ada") as ada, shared_office.agent("bert") as bert:
        await bert.join()
        path = f"/dashboard/agents/{(await ada.join())['agent_id']}"
        answer = await shared_office.owner.submit(path, f"{path}/rename", name="bert")
        assert answer.status_code == 400
        assert "An agent of the fleet has this name." in answer.text
        assert (await shared_office.owner.submit(path, f"{path}/rename", name="carl")).status_code == 303
        assert "<h1>carl</h1>" in await shared_office.owner.open(path)
        await ada.expect_push("agent:profile_updated")


async def test_the_switch_of_colours_works_without_a_script(shared_office: Office) -> None:
    assert "data-theme" not in await shared_office.owner.open("/dashboard")
    await shared_office.owner.submit("/dashboard", "/dashboard/theme", theme="dark")
    assert 'data-theme="dark"' in await shared_office.owner.open("/dashboard")
    await shared_office.owner.submit("/dashboard", "/dashboard/theme", theme="")
    assert "data-theme" not in await shared_office.owner.open("/dashboard")


async def test_the_start_leads_to_the_dashboard(shared_office: Office) -> None:
    answer = await shared_office.owner.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")

"""The pages about people in the dashboard's shell, in a real browser; and who comes with an admin key."""

from __future__ import annotations

import asyncio
import re

import pytest
from axe_playwright_python.async_playwright import Axe
from dashboard_visitor import Office, Tab, Visitor, hidden, signed_in
from playwright.async_api import Browser, Page

from ringforge_core.plugin import now
from ringforge_core.plugin.administration import AdminKey

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = ("/team", "/account", "/account/second-factor", "/settings", "/settings/email?token=x")
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.mark.parametrize("look", LOOKS)
async def test_pages_about_people_are_in_the_shell_and_accessible(
    shared_office: Office, shared_browser: Browser, look: str
) -> None:
    context = await signed_in(shared_browser, shared_office.owner, **LOOKS[look])
    tab = Tab(await context.new_page())
    for path in PAGES:
        await tab.page.goto(path)
        await no_findings(tab.page)
        assert await tab.page.locator("nav [aria-current]").count() == 1
        assert await tab.page.get_by_role("link", name="Overview").count() == 1
    assert tab.complaints == []
    await context.close()


async def test_a_form_that_is_wrong_comes_back_in_the_shell(shared_office: Office, shared_browser: Browser) -> None:
    context = await signed_in(shared_browser, shared_office.owner)
    page = await context.new_page()
    await page.goto("/settings")
    await page.get_by_label("E-mail", exact=True).fill("new@example.org")
    await page.get_by_label("Your password").first.fill("a guess of somebody")
    async with page.expect_response("**/settings/email") as answered:
        await page.get_by_role("button", name="Change the e-mail").click()
    assert (await answered.value).status == 400
    assert "not your password" in await page.get_by_role("alert").inner_text()
    assert await page.get_by_label("E-mail", exact=True).input_value() == "new@example.org"
    assert await page.locator("nav [aria-current]").inner_text() == "Settings"
    await no_findings(page)
    await context.close()


async def test_the_colours_are_chosen_in_the_settings_and_hold_on_each_page(
    shared_office: Office, shared_browser: Browser
) -> None:
    context = await signed_in(shared_browser, shared_office.owner)
    page = await context.new_page()
    await page.goto("/settings")
    await page.locator("main").get_by_role("button", name="Dark").click()
    for path in ("/settings", "/dashboard", "/team"):
        await page.goto(path)
        assert await page.locator("html").get_attribute("data-theme") == "dark"
    await context.close()


async def with_key(office: Office, api_key: str) -> tuple[Visitor, int, str]:
    """Somebody who tried it, the status and where it led."""
    visitor = office.visitor()
    page = await visitor.open("/auth/login")
    answer = await visitor.post("/auth/api-key", **hidden(page, "/auth/api-key"), api_key=api_key)
    return visitor, answer.status_code, answer.headers.get("location", "")


async def test_an_admin_key_signs_in_as_nobody_in_particular(shared_office: Office) -> None:
    office = shared_office
    holder, status, location = await with_key(office, office.hub.keys.admin_key)
    assert (status, location) == (303, "/dashboard")
    home = await holder.open("/dashboard")
    navigation = re.findall(r'<a href="(/[a-z]*)"', home.partition('aria-label="Pages"')[2].partition("</nav>")[0])
    assert not {"/team", "/account", "/settings"} & set(navigation)
    for path in ("/team", "/account", "/settings"):
        await holder.open(path, status=403)
        refused = await holder.post(f"{path}/x", _csrf=await holder.token())
        assert refused.status_code == 404
    for path in ("/team/invites", "/settings/delete", "/account/password", "/settings/name"):
        assert (await holder.post(path, _csrf=await holder.token(), role="owner")).status_code == 403
    await holder.submit("/dashboard/keys", "/dashboard/keys/create", kind="live", name="by the key", days="0")
    administration = office.hub.hub.administration
    deeds = await administration.audit(office.hub.keys.tenant_id, action="api_key.created", limit=1)
    assert (deeds[0].actor_type, deeds[0].actor_id) == ("key", (await key_of(office, office.hub.keys.admin_key)).key_id)
    logins = await administration.audit(office.hub.keys.tenant_id, action="tenant.login", limit=1)
    assert (logins[0].actor_type, logins[0].metadata) == ("key", {"method": "admin key"})

    cookie = dict(holder.client.cookies)
    await holder.submit("/dashboard", "/auth/logout")
    holder.client.cookies.update(cookie)
    assert (await holder.client.get("/dashboard")).status_code == 303


async def test_the_session_of_a_key_ends_with_it_and_so_does_its_stream(shared_office: Office) -> None:
    office = shared_office
    operator = office.operator
    made = await office.hub.hub.administration.create_key(operator, kind="admin")
    holder, _, _ = await with_key(office, made.key)
    live = re.search(r'data-live="([^"]+)"', await holder.open("/dashboard"))
    assert live is not None
    async with asyncio.timeout(20), holder.client.stream("GET", live[1].replace("&amp;", "&")) as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        loop = asyncio.get_running_loop()
        await office.hub.hub.administration.revoke_key(operator, made.id)
        revoked = loop.time()
        assert (await holder.client.get("/dashboard")).status_code == 303
        async for _ in lines:
            pass
        assert loop.time() - revoked < 15  # at most a beat, on a machine that has time
    _, status, _ = await with_key(office, made.key)
    assert status == 400


async def test_only_admin_keys_sign_in_and_few_are_tried(shared_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office, at = shared_office, now()
    monkeypatch.setattr("ringforge_accounts.tries.now", lambda: at)  # they are counted by the minute
    statuses = [
        (await with_key(office, key))[1] for key in (office.hub.keys.agent_key, "rf_admin_guess", "", "x", "y", "z")
    ]
    assert 303 not in statuses
    assert statuses[-1] == 429


async def key_of(office: Office, api_key: str) -> AdminKey:
    return await office.hub.hub.administration.admin_key(api_key)


async def no_findings(page: Page) -> None:
    findings = (await Axe().run(page)).response["violations"]
    serious = [
        (finding["id"], finding["nodes"][0]["html"]) for finding in findings if finding["impact"] in ("serious", "critical")
    ]
    assert (page.url, serious) == (page.url, [])
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

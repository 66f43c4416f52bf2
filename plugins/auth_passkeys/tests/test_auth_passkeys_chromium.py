"""Passkeys in a real browser, with the authenticator that Chromium's developer tools plug in."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from passkeys_town import PASSWORD, Town, running_town
from playwright.async_api import Browser, CDPSession, Page, async_playwright, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DEADLINE_MS = 20_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with running_town(tmp_path_factory.mktemp("town")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is missing")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


class Person:
    """Somebody at a browser with an authenticator built in, who has registered and not signed in yet."""

    def __init__(self, town: Town, page: Page, devtools: CDPSession, name: str) -> None:
        self.town = town
        self.page = page
        self.devtools = devtools
        self.email = f"{name}@example.org"
        self.said: list[str] = []
        self.authenticator = ""
        page.on("console", lambda message: self.said.append(message.text) if message.type in ("error", "warning") else None)
        page.set_default_timeout(DEADLINE_MS)

    async def plug_in(self, **options: Any) -> None:
        given = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True, **options,
        }  # fmt: skip
        added = await self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": given})
        self.authenticator = added["authenticatorId"]

    async def go(self, path: str) -> None:
        await self.page.goto(f"{self.town.url}{path}", wait_until="commit")

    async def sign_in_with_password(self) -> None:
        await self.page.get_by_label("E-mail").fill(self.email)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.page.wait_for_url(re.compile("/(dashboard|account|passkeys)"))

    async def add_passkey(self, name: str) -> None:
        await self.go("/account")
        await self.page.get_by_role("link", name="Add a passkey").click()
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_role("button", name="Create the passkey").click()
        await self.page.wait_for_url("**/account")

    async def sign_out(self) -> None:
        await self.page.context.clear_cookies()
        await self.go("/auth/login")

    async def credential(self) -> dict[str, Any]:
        found = await self.devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        (credential,) = found["credentials"]
        return dict(credential)


async def person(town: Town, chromium: Browser, name: str, *, fills_in: bool = False) -> Person:
    """`fills_in`: the browser offers passkeys among what it fills in; the authenticator of the developer tools then takes
    the first one by itself."""
    await town.newcomer(name)
    context = await chromium.new_context(viewport={"width": 390, "height": 800})
    page = await context.new_page()
    if not fills_in:
        await page.add_init_script("window.PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    devtools = await context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    somebody = Person(town, page, devtools, name)
    await somebody.plug_in()
    await somebody.go("/auth/login")
    return somebody


async def test_a_passkey_is_added_and_signs_in_and_a_copy_of_it_does_not(town: Town, chromium: Browser) -> None:
    ada = await person(town, chromium, "ada")
    await ada.sign_in_with_password()
    await ada.add_passkey("Laptop")
    await expect(ada.page.locator("#passkeys")).to_contain_text("Laptop")
    stolen = await ada.credential()
    await ada.sign_out()
    await ada.page.get_by_role("button", name="Sign in with a passkey").click()
    await ada.page.wait_for_url("**/dashboard")
    await ada.go("/account")
    await expect(ada.page.locator("#passkeys")).not_to_contain_text("not used yet")

    given = {"authenticatorId": ada.authenticator}
    await ada.devtools.send("WebAuthn.clearCredentials", given)
    await ada.devtools.send("WebAuthn.addCredential", {**given, "credential": {**stolen, "signCount": 0}})
    await ada.sign_out()
    assert ada.said == []
    await ada.page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(ada.page.get_by_role("alert")).to_contain_text("there may be a copy")


async def test_the_browser_offers_it_among_what_it_fills_in(town: Town, chromium: Browser) -> None:
    bea = await person(town, chromium, "bea", fills_in=True)
    await bea.sign_in_with_password()
    await bea.add_passkey("Phone")
    await bea.sign_out()
    await bea.page.wait_for_url("**/dashboard")
    assert bea.said == []


async def test_without_verification_or_without_a_passkey_the_page_says_so(town: Town, chromium: Browser) -> None:
    cat = await person(town, chromium, "cat", fills_in=True)
    await expect(cat.page.get_by_label("E-mail")).to_have_attribute("autocomplete", "username webauthn")
    await cat.page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(cat.page.get_by_role("status")).to_contain_text("cancelled, or it took too long")
    await cat.sign_in_with_password()
    await cat.add_passkey("Laptop")
    await cat.page.get_by_role("link", name="Add a passkey").click()
    await cat.page.get_by_label("Name").fill("Twice")
    await cat.page.get_by_role("button", name="Create the passkey").click()
    await expect(cat.page.get_by_role("status")).to_contain_text("has a passkey for your account already")


async def test_where_there_can_be_no_passkeys_the_pages_are_whole(town: Town, chromium: Browser) -> None:
    at_address = town.hub.http_url
    await town.newcomer("dan")
    for scripts, url in ((False, town.url), (True, at_address)):
        context = await chromium.new_context(java_script_enabled=scripts)
        page = await context.new_page()
        await page.goto(f"{url}/auth/login?next=/account")
        await expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
        await page.get_by_label("E-mail").fill("dan@example.org")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/account")
        if url == at_address:
            await expect(page.locator("#passkeys")).to_contain_text(f"Open {town.url} instead")
        else:
            await page.get_by_role("link", name="Add a passkey").click()
            await expect(page.locator("main")).to_contain_text("This takes JavaScript")
        await context.close()


async def test_no_page_hinders_a_person_light_or_dark(town: Town, chromium: Browser) -> None:
    somebody = await person(town, chromium, "eda")
    page = somebody.page
    await expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
    await no_findings(page)
    await somebody.sign_in_with_password()
    await somebody.add_passkey("Laptop")
    await no_findings(page)
    await page.get_by_role("link", name="Remove Laptop").click()
    await no_findings(page, "dark")
    await somebody.go("/passkeys/add")
    await no_findings(page, "light")
    assert somebody.said == []


async def no_findings(page: Page, *schemes: Literal["light", "dark"]) -> None:
    """None of axe, and nothing that has to be scrolled sideways."""
    for scheme in schemes or ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        findings = (await Axe().run(page)).response["violations"]
        serious = [finding["id"] for finding in findings if finding["impact"] in ("serious", "critical")]
        assert (page.url, scheme, serious) == (page.url, scheme, [])
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

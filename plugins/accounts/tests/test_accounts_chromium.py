"""The pages in a real browser: from the invitation to signing out, without a script, as people see and hear them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest
from accounts_browser import PASSWORD, People
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
EMAIL = "ada@example.org"


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():  # noqa: ASYNC240 — a test may block
        pytest.skip(f"{CHROMIUM} is missing")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        await browser.close()


async def new_page(chromium: Browser, people: People, *, scripts: bool = True, dark: bool = False) -> Page:
    """A page of a phone's width."""
    context = await chromium.new_context(
        base_url=people.hub.http_url, java_script_enabled=scripts, color_scheme="dark" if dark else "light",
        viewport={"width": 375, "height": 740},
    )  # fmt: skip
    return await context.new_page()


async def test_everything_works_without_a_script(people: People, chromium: Browser) -> None:
    page = await new_page(chromium, people, scripts=False)
    await page.goto("/team")
    await page.get_by_role("link", name="Register").click()
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Register").click()
    await page.goto(await people.mailbox.link(EMAIL))
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Confirm").click()
    await page.wait_for_url("**/account")

    await page.get_by_role("link", name="Set it up").click()
    await page.get_by_role("button", name="Show a new key").click()
    totp = pyotp.TOTP(await page.locator(".key code").inner_text())
    await page.get_by_label("Code").fill(totp.now())
    await page.get_by_role("button", name="Turn it on").click()
    recovery = await page.locator(".codes code").first.inner_text()

    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("Code").fill(recovery)
    await page.get_by_role("button", name="Go on").click()
    await page.wait_for_url("**/account")
    assert "9 recovery codes" in await page.content()
    cookies = await page.context.cookies()
    assert all(cookie["httpOnly"] for cookie in cookies)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_no_page_hinders_a_person_or_breaks_its_policy(people: People, chromium: Browser, dark: bool) -> None:
    page = await new_page(chromium, people, dark=dark)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    for path in (
        "/auth/login",
        "/auth/register",
        "/auth/forgot",
        "/auth/waitlist",
        "/auth/verify?token=x",
        "/auth/email-undo?token=x",
        people.owner_path,
    ):
        await page.goto(path)
        await no_findings(page)
    await page.get_by_label("Name").fill("Olga")
    await page.get_by_label("E-mail").fill("olga@example.org")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Become owner").click()
    await page.wait_for_url("**/account")
    await no_findings(page)
    for path in ("/team", "/account/second-factor", "/settings", "/account"):
        await page.goto(path)
        await no_findings(page)
    await page.goto("/account/second-factor")
    await page.get_by_role("button", name="Show a new key").click()
    await no_findings(page)
    await page.get_by_label("Code").fill(pyotp.TOTP(await page.locator(".key code").inner_text()).now())
    await page.get_by_role("button", name="Turn it on").click()
    await page.locator(".codes").wait_for()
    await no_findings(page)
    assert said == []


async def no_findings(page: Page) -> None:
    """None of axe, and nothing that has to be scrolled sideways. Axe is injected past the policy, as a tool may be."""
    findings = (await Axe().run(page)).response["violations"]
    serious = [finding["id"] for finding in findings if finding["impact"] in ("serious", "critical")]
    assert (page.url, serious) == (page.url, [])
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


async def test_the_focus_is_seen_and_goes_through_the_form(people: People, chromium: Browser) -> None:
    page = await new_page(chromium, people)
    await page.goto("/auth/login")
    await page.get_by_label("E-mail").focus()
    for expected in ("password", None):
        await page.keyboard.press("Tab")
        focused = page.locator(":focus")
        assert await focused.get_attribute("name") == expected
        outline = await focused.evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline == "solid"
    assert re.search("Sign in", await page.locator(":focus").inner_text())

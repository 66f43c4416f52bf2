"""`/api/docs` in a real browser: readable, usable, and nothing comes from outside."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from ringforge_core.testkit.hub import TestHub, running_hub

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running_hub(tmp_path) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: `apt-get install chromium`")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


class Reader:
    """Somebody who opens the page; `complaints` are what the browser says, `asked` the addresses that it went to."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_reads_the_document_with_nothing_from_outside(hub: TestHub, browser: Browser, scheme: str) -> None:
    page = await browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    reader = Reader(page)
    await page.goto(f"{hub.http_url}/api/docs")
    await page.get_by_text("Make a key").first.click()
    await page.get_by_text("Its text is in the answer, and nowhere else.").wait_for()
    assert reader.complaints == []
    assert [url for url in reader.asked if not url.startswith((hub.http_url, "data:"))] == []
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background.strip("rgb()").split(","))) < 384) == (scheme == "dark")


async def test_an_administrator_calls_a_route_from_the_page(hub: TestHub, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(f"{hub.http_url}/api/docs")
    await page.get_by_role("button", name="Authorize").first.click()
    await page.locator(".auth-container input").fill(hub.keys.admin_key)
    await page.get_by_role("button", name="Apply credentials").click()
    await page.get_by_role("button", name="Close").last.click()
    await page.get_by_text("List the fleets").click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    await page.locator(".live-responses-table").get_by_text(hub.keys.fleet_id).wait_for()


async def test_the_page_allows_no_inline_script_and_no_frame(hub: TestHub) -> None:
    async with httpx.AsyncClient(base_url=hub.http_url) as http:
        page = await http.get("/api/docs")
        policy = dict(each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert (await http.get("/api/docs/swagger.js")).headers["content-type"].startswith("text/javascript")
        assert (await http.get("/api/docs/__init__.py")).status_code == 404
        assert (await http.get("/api/docs/..%2f__init__.py")).status_code == 404

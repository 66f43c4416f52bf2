"""In Chromium: from the hub to pysaml2 on another site, whose page posts the answer, and in."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from playwright.async_api import async_playwright
from saml_peers import ProviderSite
from saml_visitor import running_saml_hub

from ringforge_core.testkit.hub_process import free_port
from ringforge_core.testkit.served import served

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


async def test_a_person_signs_in_at_their_company_and_later_again(tmp_path: Path) -> None:
    chromium_path = shutil.which("chromium")
    if chromium_path is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    port = free_port()
    site = ProviderSite(tmp_path, port)
    async with (
        served(site.application(), port),
        running_saml_hub(tmp_path, url=f"{site.url}/metadata") as hub,
        async_playwright() as playwright,
    ):
        metadata = await hub.visitor().client.get("/auth/saml/metadata")
        await asyncio.to_thread(site.meet, metadata.text)
        chromium = await playwright.chromium.launch(executable_path=chromium_path, args=OPTIONS)
        errors: list[str] = []
        for _ in range(2):
            page = await (await chromium.new_context()).new_page()
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            await page.goto(f"{hub.url}/team")
            await page.get_by_label("Work e-mail").fill("ada@example.org")
            await page.get_by_role("button", name="Sign in with single sign-on").click()
            await page.wait_for_url("**/team")
            assert await page.get_by_text("ada@example.org").first.is_visible()
            assert await hub.last_session() == ("ada@example.org", "acme", "saml")
        assert errors == []
        assert len(await hub.rows("SELECT id FROM users")) == 1
        await chromium.close()

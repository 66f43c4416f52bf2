"""In Chromium: a person comes with an identity of the certified provider to a hub with accounts, and gets in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from oauth_peers import SECRET, oidc_provider
from playwright.async_api import Page, async_playwright

from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.hub_process import free_port

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def settings(issuer_port: int) -> dict[str, str]:
    return {
        "RINGFORGE__CAPABILITIES__USE": "presence, accounts",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__REGISTRATION": "self_serve",
        "RINGFORGE__AUTH__USE": "oidc",
        "RINGFORGE__AUTH__OIDC__CLIENT_ID": "ringforge",
        "RINGFORGE__AUTH__OIDC__CLIENT_SECRET": SECRET,
        "RINGFORGE__AUTH__OIDC__ISSUER": f"http://127.0.0.1:{issuer_port}",
        "RINGFORGE__AUTH__OIDC__LABEL": "the house",
    }


async def sign_in(page: Page, hub: TestHub) -> None:
    await page.goto(f"{hub.http_url}/team")
    await page.get_by_role("button", name="Sign in with the house").click()
    await page.wait_for_url("**/team")


async def test_a_person_signs_in_with_their_identity_and_later_again(tmp_path: Path) -> None:
    if not await asyncio.to_thread(CHROMIUM.exists):
        pytest.skip(f"{CHROMIUM} is missing")
    port = free_port()
    async with running_hub(tmp_path, settings=settings(port)) as hub:
        callback = f"{hub.http_url}/auth/oidc/callback"
        async with oidc_provider(port, callback), async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
            errors: list[str] = []
            for _ in range(2):
                context = await chromium.new_context()
                person = {"name": "person", "value": quote("ada@example.org"), "url": f"http://127.0.0.1:{port}"}
                await context.add_cookies([person])
                page = await context.new_page()
                page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
                await sign_in(page, hub)
                assert await page.get_by_text("ada@example.org").first.is_visible()
            assert errors == []
            await chromium.close()

"""Two hubs on one PostgreSQL are one to people: whichever hub their page comes from, and wherever an agent is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pyotp
import pytest
import pytest_asyncio
from balancer import Balancer
from dashboard_visitor import PASSWORD, SETTINGS, Tab, Visitor, chromium, hidden, owner_link, signed_in
from playwright.async_api import Browser, expect

from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient
from ringforge_core.testkit.postgres import PostgresServer, postgres_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

KICK_SECONDS = 5.0


class FirstThatLives(Balancer):
    """Goes to the next hub only when the one before is gone."""

    def __init__(self) -> None:
        super().__init__([])

    @property
    def http_url(self) -> str:
        return self.websocket_url.replace("ws", "http", 1)

    def serve(self, ports: list[int]) -> None:
        self._ports = ports

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._next = -1
        await super()._accept(reader, writer)


class Branches:
    """`here` is where the browser is; `there` is where the agents are."""

    def __init__(self, here: HubProcess, there: TestHub, owner: Visitor, browser: Browser) -> None:
        self.here = here
        self.there = there
        self.owner = owner
        self._browser = browser

    async def tab(self) -> Tab:
        """A fresh page in a window of the owner's."""
        return Tab(await (await signed_in(self._browser, self.owner)).new_page())

    def agent(self, name: str) -> PhoenixClient:
        return PhoenixClient(self.there.websocket_url, api_key=self.there.keys.agent_key, agent={"name": name})


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def branches(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Branches]:
    balancer = FirstThatLives()
    await balancer.start()
    settings = {
        **SETTINGS,
        "RINGFORGE__STORE__URL": await postgres.new_database(),
        "RINGFORGE__HUB__PUBLIC_URL": balancer.http_url,
        "RINGFORGE__CAPABILITIES__PRESENCE__LEAVE_AFTER_SECONDS": "0.2",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__ENCRYPTION_KEY": "the same on both",
    }
    here = HubProcess(tmp_path_factory.mktemp("here"), settings=settings)
    try:
        await here.start()
        async with running_hub(tmp_path_factory.mktemp("there"), settings=settings) as there, chromium() as browser:
            balancer.serve([here.port, urlsplit(there.http_url).port or 0])
            owner = Visitor(balancer.http_url)
            await owner.become_owner(owner_link(here))
            yield Branches(here, there, owner, browser)
            await owner.client.aclose()
    finally:
        await balancer.stop()
        await here.stop()


async def test_signing_in_and_out_at_one_hub_holds_at_the_other(branches: Branches) -> None:
    here, there = Visitor(branches.here.http_url), Visitor(branches.there.http_url)
    answer = await here.submit("/auth/login", "/auth/login", email="olga@example.org", password=PASSWORD)
    assert answer.status_code == 303, answer.text
    there.client.cookies = here.client.cookies
    assert "Olga" in await there.open("/dashboard")
    answer = await there.submit("/dashboard/add-agent", "/dashboard/add-agent/make", name="crawler")
    assert "rf_live_" in answer.text
    answer = await here.submit("/dashboard", "/auth/logout")
    assert answer.status_code == 303, answer.text
    assert_signed_out(await here.client.get("/dashboard"))
    assert_signed_out(await there.client.get("/dashboard"))
    for each in (here, there):
        await each.client.aclose()


async def test_a_page_shows_and_reaches_an_agent_at_the_other_hub(branches: Branches) -> None:
    tab = await branches.tab()
    await tab.page.goto("/dashboard/agents")
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    async with branches.agent("ada") as ada:
        await ada.join()
        await expect(tab.page.get_by_role("row", name="ada")).to_contain_text("online")
        await tab.page.reload()
        await tab.page.get_by_role("link", name="ada").click()
        await tab.page.get_by_role("link", name="Write a message").click()
        await tab.page.get_by_label("Message").fill("How is it going?")
        await tab.page.get_by_role("button", name="Send").click()
        message = (await ada.expect_push("direct:message"))["payload"]
        assert message["message"] == {"type": "text", "text": "How is it going?"}
        await expect(tab.page.locator(".message.own")).to_contain_text("delivered")
        await ada.ok("direct:send", {"to": "dashboard", "message": {"text": "Well, thanks."}})
        await expect(tab.page.locator(".message:not(.own)")).to_contain_text("Well, thanks.")
    await expect(tab.page.locator("#now")).to_contain_text("offline")
    assert tab.complaints == []
    await tab.page.close()


async def test_who_is_kicked_at_one_hub_is_closed_at_the_other(branches: Branches) -> None:
    async with branches.agent("eve") as eve:
        agent_id = (await eve.join())["agent_id"]
        path = f"/dashboard/agents/{agent_id}"
        answer = await branches.owner.submit(path, f"{path}/kick")
        assert answer.status_code == 303, answer.text
        async with asyncio.timeout(KICK_SECONDS):
            assert (await eve.expect_close())[0] == 1008


async def test_a_second_factor_of_one_hub_is_checked_at_the_other(branches: Branches) -> None:
    path = "/account/second-factor"
    page = (await branches.owner.submit(path, f"{path}/begin")).text
    secret = re.findall(r'class="key"><code>(\w+)', page)[0]
    answer = await branches.owner.post(path, **hidden(page, path), code=pyotp.TOTP(secret).now())
    assert answer.status_code == 200, answer.text
    there = Visitor(branches.there.http_url)
    await there.submit("/auth/login", "/auth/login", email="olga@example.org", password=PASSWORD)
    assert_signed_out(await there.client.get("/dashboard"))
    next_code = pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30))  # each opens once
    answer = await there.submit("/auth/second-factor", "/auth/second-factor", code=next_code)
    assert answer.status_code == 303, answer.text
    assert "Olga" in await there.open("/dashboard")
    await there.client.aclose()


async def test_a_page_goes_on_at_the_other_hub_when_its_own_is_killed(branches: Branches) -> None:
    page = (await branches.tab()).page
    answers: list[str] = []
    async with branches.agent("bob") as bob:
        await bob.join()
        await page.goto("/dashboard")
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.on("response", lambda answer: answers.append(urlsplit(answer.url).path))
        for number in range(10):
            await bob.ok("activity:broadcast", {"kind": "custom", "description": str(number)})
            if number == 4:
                await expect(page.locator("#feed .text")).to_have_text(["4", "3", "2", "1", "0"])
                await branches.here.kill()
        shown = [str(number) for number in reversed(range(10))]
        await expect(page.locator("#feed .text")).to_have_text(shown)
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert "/dashboard/live" in answers
    assert "/dashboard" not in answers, "it went on where it was, and did not read itself anew"
    await page.close()


def assert_signed_out(answer: httpx.Response) -> None:
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(("/auth/login", "/auth/second-factor"))

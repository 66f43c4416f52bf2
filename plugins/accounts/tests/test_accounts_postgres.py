"""The same changes on PostgreSQL: a person's whole way, and what is decided when two come at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from accounts_browser import PASSWORD, People, hidden_fields, problem, running_people

from ringforge_core.testkit.postgres import PostgresServer, postgres_server

EMAIL = "ada@example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
async def people(tmp_path: Path, server: PostgresServer) -> AsyncIterator[People]:
    url = await server.new_database()
    async with running_people(tmp_path, registration="waitlist", RINGFORGE__STORE__URL=url) as running:
        yield running


async def test_a_persons_way_from_the_waitlist_to_a_team(people: People) -> None:
    owner = await people.owner()
    eve = people.browser()
    await eve.submit("/auth/waitlist", name="Eve", email="eve@example.org")
    await owner.submit("/team/waitlist/approve", page="/team")
    path = await people.mailbox.link("eve@example.org")
    assert (await eve.submit("/auth/place", page=path, name="Eve", password=PASSWORD)).status_code == 303

    assert (await eve.submit("/account/join", page="/settings", code=await people.invitation(owner))).status_code == 303
    assert "olga@example.org" in (await eve.open("/team")).text
    assert (await eve.submit("/account/switch", page="/settings")).status_code == 303

    await eve.submit("/auth/forgot", email="eve@example.org")
    path = await people.mailbox.link("eve@example.org", 2)
    await eve.submit("/auth/reset", page=path, password="seven other bridges over copper")
    assert not await eve.signed_in
    answer = await eve.submit("/auth/login", email="eve@example.org", password=PASSWORD)
    assert "not right" in problem(answer)
    assert await (await people.signed_in("eve@example.org", "seven other bridges over copper")).signed_in


async def test_of_many_at_once_one_uses_the_invitation(people: People) -> None:
    code = await people.invitation(await people.owner())
    ways = []
    for n in range(4):
        browser, email = people.browser(), f"racer{n}@example.org"
        await browser.submit("/auth/register", name="R", email=email, password=PASSWORD, invite=code)
        page = await browser.open(await people.mailbox.link(email))
        ways.append((browser, hidden_fields(page, "/auth/verify")))
    sent = [browser.post("/auth/verify", **form, password=PASSWORD) for browser, form in ways]
    assert sorted(answer.status_code for answer in await asyncio.gather(*sent)) == [303, 400, 400, 400]

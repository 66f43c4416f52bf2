"""The same changes on PostgreSQL: a person's whole way, and what is decided when two come at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts_browser import DEADLINE, PASSWORD, People, hidden_fields, problem, running_people
from ringforge_accounts.tables import mails

from ringforge_core.ports.auth import Mail
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
    eve = await people.signed_in("eve@example.org", "seven other bridges over copper")

    fields = {"email": "eve@new.example", "password": "seven other bridges over copper"}
    await eve.submit("/settings/email", page="/settings", **fields)
    path = await people.mailbox.link("eve@new.example")
    assert (await eve.submit("/settings/email/confirm", page=path)).status_code == 303
    fields = {"confirm": "eve@new.example", "password": "seven other bridges over copper"}
    kept = await eve.submit("/settings/delete", page="/settings", **fields)
    assert "last owner of Eve" in problem(kept)
    bob = await people.newcomer("bob@example.org", await people.invitation(owner))
    gone = await bob.submit("/settings/delete", page="/settings", confirm="bob@example.org", password=PASSWORD)
    assert gone.headers["location"] == "/auth/login"
    assert not await bob.signed_in


async def test_of_two_owners_who_go_at_once_one_stays(people: People) -> None:
    owner = await people.owner()
    bob = await people.newcomer("bob@example.org", await people.invitation(owner, role="owner"))
    forms = [hidden_fields(await browser.open("/settings"), "/settings/delete") for browser in (owner, bob)]
    answers = await asyncio.gather(
        owner.post("/settings/delete", **forms[0], confirm="olga@example.org", password=PASSWORD),
        bob.post("/settings/delete", **forms[1], confirm="bob@example.org", password=PASSWORD),
    )
    assert sorted(answer.status_code for answer in answers) == [303, 400]


async def test_two_hubs_send_each_mail_once(tmp_path: Path, server: PostgresServer) -> None:
    both = {"RINGFORGE__STORE__URL": await server.new_database(), "encryption_key": "one for both"}
    async with (
        running_people(tmp_path / "1", **both, RINGFORGE__HUB__NODE="node-1") as first,
        running_people(tmp_path / "2", **both, RINGFORGE__HUB__NODE="node-2") as second,
    ):
        for number in range(20):
            await first.accounts.mailer.send(Mail(f"p{number}@example.org", "Hello", "Hello"))
            second.accounts.mailer.wake()
        async with asyncio.timeout(DEADLINE):
            while await waiting(first):  # noqa: ASYNC110 — rows of a database tell nobody
                await asyncio.sleep(0.05)
        sent = [str(message["To"]) for message in first.mailbox.messages + second.mailbox.messages]
        assert sorted(sent) == sorted(f"p{number}@example.org" for number in range(20))


async def waiting(people: People) -> int:
    query = sa.select(sa.func.count()).select_from(mails)
    return await people.hub.hub.store.read(lambda connection: connection.execute(query).scalar_one())


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

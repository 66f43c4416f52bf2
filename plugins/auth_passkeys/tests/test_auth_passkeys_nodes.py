"""Two hubs on one PostgreSQL: what begins at one is finished at the other, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
import sqlalchemy as sa
from passkeys_town import DEADLINE, Town, Visitor, hidden, problem, running_node, smtp_server
from software_authenticator import Authenticator
from sqlalchemy.ext.asyncio import create_async_engine

from ringforge_core.testkit.postgres import PostgresServer, postgres_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "http://hub.localhost"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def towns(tmp_path_factory: pytest.TempPathFactory, server: PostgresServer) -> AsyncIterator[tuple[Town, Town]]:
    """The same town at two hubs, behind one address."""
    database = await server.new_database()
    async with AsyncExitStack() as stack:
        mailbox, address = await stack.enter_async_context(smtp_server())

        async def node(name: str) -> Town:
            shared = {"RINGFORGE__STORE__URL": database, "RINGFORGE__HUB__NODE": name}
            running = running_node(tmp_path_factory.mktemp(name), mailbox, address, url=URL, **shared)
            return await stack.enter_async_context(running)

        first, second = await node("node-1"), await node("node-2")
        yield first, second


def at(town: Town, visitor: Visitor) -> Visitor:
    """The same browser, led to another hub by the proxy."""
    elsewhere = town.visitor()
    elsewhere.client.cookies = visitor.client.cookies
    elsewhere._token = visitor._token
    return elsewhere


async def test_a_challenge_of_one_hub_is_answered_at_another_and_once(towns: tuple[Town, Town]) -> None:
    first, second = towns
    ada, key = await first.with_passkey("ada")
    assert [name for _, name in await at(second, ada).passkeys()] == ["Blue key"]
    browser = first.visitor()
    said = key.get(await browser.asked_to_sign_in())
    answers = await asyncio.gather(browser.answer(said), at(second, browser).answer(said))
    assert sorted(answer.status_code for answer in answers) == [303, 400]
    assert "answered already" in problem(next(answer for answer in answers if answer.status_code == 400))


async def test_of_a_passkey_and_its_copy_at_two_hubs_at_once_one_signs_in(towns: tuple[Town, Town]) -> None:
    first, second = towns
    _, key = await first.with_passkey("ben")
    ways = [
        (browser, key.get(await browser.asked_to_sign_in(), count=7)) for browser in (first.visitor(), second.visitor())
    ]
    answers = await asyncio.gather(*(browser.answer(said) for browser, said in ways))
    assert sorted(answer.status_code for answer in answers) == [303, 400]


async def test_of_two_ways_in_that_are_taken_away_at_two_hubs_at_once_one_stays(towns: tuple[Town, Town]) -> None:
    first, second = towns
    cat, _ = await first.with_passkey("cat")
    await cat.add(Authenticator(URL), "Second")
    await first.run("UPDATE users SET password_hash = NULL WHERE email = 'cat@example.org'")
    both = []
    for visitor, (passkey_id, _) in zip((cat, at(second, cat)), await cat.passkeys(), strict=True):
        path = f"/passkeys/{passkey_id}/remove"
        both.append((visitor, path, hidden((await visitor.open(path)).text, path)))
    async with held(second, "SELECT id FROM passkeys FOR UPDATE") as waiting:
        sent = [asyncio.create_task(visitor.post(path, **form)) for visitor, path, form in both]
        await waiting(2)
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [303, 400]
    assert len(await cat.passkeys()) == 1


@asynccontextmanager
async def held(town: Town, lock: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Holds rows, so that what changes them comes to wait; what it gives waits until so many do."""
    url = sa.make_url(town.hub.hub.config.store.url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url)

    async def waiting(count: int) -> None:
        query = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        async with asyncio.timeout(DEADLINE), engine.connect() as connection:
            while (await connection.execute(query)).scalar_one() < count:  # noqa: ASYNC110 — PostgreSQL knows it
                await asyncio.sleep(0.02)

    async with engine.begin() as holder:
        await holder.execute(sa.text(lock))
        yield waiting
    await engine.dispose()

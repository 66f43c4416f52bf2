"""A mail that was promised arrives: over a crash, over a mail server that is away; and what waits is sealed."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts_browser import DEADLINE, PASSWORD, Browser, People, running_people, smtp_server
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry
from ringforge_accounts import letter_box, mailer
from ringforge_accounts.tables import mails

from ringforge_core.ports.auth import Mail
from ringforge_core.testkit.hub_process import HubProcess, free_port

ADA = "ada@example.org"


def settings_for(smtp: str) -> dict[str, str]:
    return {
        "RINGFORGE__CAPABILITIES__USE": "accounts",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__REGISTRATION": "self_serve",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__SERVER": smtp,
        "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__ENCRYPTION": "none",
    }


async def test_a_promised_mail_arrives_after_kill_9(tmp_path: Path) -> None:
    port = free_port()
    hub = HubProcess(tmp_path, settings=settings_for(f"127.0.0.1:{port}"))
    await hub.start()
    browser = Browser(hub.http_url)
    try:
        page = await browser.submit("/auth/register", name="Ada", email=ADA, password=PASSWORD)
        assert "Check your mail" in page.text  # promised, and there is no mail server
        await hub.kill()
        with sqlite3.connect(tmp_path / "data" / "hub.db") as database:
            (waiting,) = database.execute("SELECT sealed FROM mails").fetchall()
        assert ADA.encode() not in waiting[0]
        assert b"token=" not in waiting[0]
        async with smtp_server(port) as (mailbox, _):
            await hub.start()
            path = await mailbox.link(ADA)
            assert (await browser.submit("/auth/verify", page=path, password=PASSWORD)).status_code == 303
    finally:
        await browser.client.aclose()
        await hub.stop()


async def test_a_mail_waits_for_its_server_and_is_sent_once(tmp_path: Path) -> None:
    port = free_port()
    async with running_people(tmp_path, registration="self_serve", mail__server=f"127.0.0.1:{port}") as people:
        await people.browser().submit("/auth/register", name="Ada", email=ADA, password=PASSWORD)
        await until(lambda: measured(people, "retried") >= 1)
        async with smtp_server(port) as (mailbox, _):
            message = await mailbox.wait(ADA)
            await until(lambda: measured(people, "sent") == 1)
            assert len(mailbox.messages) == 1
            assert re.fullmatch(r"<[0-9a-f-]{36}@ringforge>", str(message["Message-ID"]))
            await until(lambda: nothing_is_kept(people))


async def test_after_a_day_a_mail_is_given_up_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailer, "GIVE_UP_AFTER", -mailer.LONGEST_PAUSE)
    async with running_people(tmp_path, registration="self_serve", mail__server=f"127.0.0.1:{free_port()}") as people:
        await people.browser().submit("/auth/register", name="Ada", email=ADA, password=PASSWORD)
        await until(lambda: measured(people, "given_up") == 1)
        metrics = (await people.browser().client.get("/metrics")).text
        assert 'ringforge_mails_total{result="given_up"} 1.0' in metrics


async def test_enumeration_nobody_gets_a_letter_and_it_costs_the_same(people: People) -> None:
    """A letter to nobody is kept and thrown away as one to somebody is kept and sent."""
    await people.newcomer(ADA)
    store = people.hub.hub.store
    for email in (ADA, "nobody@example.org"):
        await people.accounts.mailer.stop()
        await people.browser().submit("/auth/forgot", email=email)
        assert await letter_box.claim(store, "test") is not None
        await letter_box.release(store, "test")
        await people.accounts.mailer.start()
        await until(lambda: nothing_waits(people))
    assert len(people.mailbox.messages) == 2  # to confirm the registration, and for the password


async def test_a_mail_is_claimed_by_one_hub_at_a_time(people: People) -> None:
    store = people.hub.hub.store
    await people.accounts.mailer.stop()
    for number in range(5):
        letter = people.accounts.mailer.seal(Mail(f"p{number}@example.org", "x", "x"))
        await store.apply(letter_box.post_all, letter)
    claims = await asyncio.gather(*(letter_box.claim(store, f"hub-{number % 3}") for number in range(12)))
    assert len({claim.id for claim in claims if claim is not None}) == sum(claim is not None for claim in claims) == 5
    await letter_box.release(store, "hub-1")  # it died: what it had is due again
    assert await letter_box.claim(store, "hub-2") is not None


def measured(people: People, result: str) -> float:
    registry = CollectorRegistry()
    registry.register(people.accounts.mailer.counter)
    found = re.search(rf'result="{result}"}} ([0-9.]+)', generate_latest(registry).decode())
    return float(found[1]) if found is not None else 0.0


async def nothing_is_kept(people: People) -> bool:
    query = sa.select(sa.func.count()).select_from(mails)
    return await people.hub.hub.store.read(lambda connection: connection.execute(query).scalar_one()) == 0


async def nothing_waits(people: People) -> bool:
    return not await letter_box.is_due(people.hub.hub.store)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(0.02)

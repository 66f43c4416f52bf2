"""A person's own settings: name, e-mail with a way back, the tenant's name, and the end of the account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio
import sqlalchemy as sa
from accounts_browser import PASSWORD, Browser, People, post_from, problem, running_people
from ringforge_accounts import tables

from ringforge_core.plugin import now
from ringforge_core.ports.store import Transaction

pytestmark = pytest.mark.asyncio(loop_scope="module")

EMAIL, NEW, OLGA = "ada@example.org", "ada@new.example", "olga@example.org"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[People]:
    async with running_people(tmp_path_factory.mktemp("hub"), registration="self_serve") as running:
        await running.owner()
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def people(hub: People) -> People:
    """The one hub, with nobody but its owner, and no mail."""
    nobody_else = tables.users.delete().where(tables.users.c.email != OLGA)
    for statement in (nobody_else, tables.account_tries.delete()):
        await hub.hub.hub.store.apply(_run_all, statement)
    hub.mailbox.messages.clear()
    return hub


async def ask(browser: Browser, email: str = NEW, password: str = PASSWORD) -> None:
    answer = await browser.submit("/settings/email", page="/settings", email=email, password=password)
    assert answer.status_code == 303, problem(answer)


async def change_email(people: People, browser: Browser, email: str, *, mails: int = 1) -> None:
    await ask(browser, email)
    path = await people.mailbox.link(email, mails)
    answer = await browser.submit("/settings/email/confirm", page=path)
    assert answer.status_code == 303, problem(answer)


async def test_a_name_is_shown_as_it_was_set(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    await ada.submit("/settings/name", page="/settings", name="Ada  <b>Lovelace</b>")
    assert "<b>Lovelace" not in (await ada.open("/team")).text
    assert "Ada &lt;b&gt;Lovelace" in (await ada.open("/team")).text
    answer = await ada.submit("/settings/name", page="/settings", name="x" * 81)
    assert "80 characters" in problem(answer)


async def test_a_new_email_counts_once_its_link_was_confirmed_and_the_old_one_is_told(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    laptop = await people.signed_in(EMAIL)
    await ask(ada)
    path = await people.mailbox.link(NEW)
    await ada.open(path)  # opening it changes nothing
    assert (await people.browser().submit("/auth/login", email=NEW, password=PASSWORD)).status_code == 400
    before = ada.session
    await ada.submit("/settings/email/confirm", page=path)
    assert ada.session != before
    assert NEW in (await ada.open("/settings")).text
    assert not await laptop.signed_in
    assert await (await people.signed_in(NEW)).signed_in
    old = await people.browser().submit("/auth/login", email=EMAIL, password=PASSWORD)
    assert "not right" in problem(old)
    assert NEW in (await people.mailbox.wait(EMAIL, 2)).get_content()
    again = await ada.submit("/settings/email/confirm", page=path)
    assert "used already" in problem(again)


async def test_hijack_an_open_browser_is_not_enough_to_change_the_email(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    answer = await ada.submit("/settings/email", page="/settings", email=NEW, password="a guess of somebody")
    assert "not your password" in problem(answer)
    assert people.mailbox.to(NEW) == []


async def test_hijack_without_a_password_it_takes_a_sign_in_of_just_now(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    store = people.hub.hub.store
    await store.apply(_run_all, tables.users.update().where(tables.users.c.email == EMAIL).values(password_hash=None))
    assert "Your password" not in (await ada.open("/settings")).text
    assert (await ada.submit("/settings/email", page="/settings", email=NEW)).headers["location"] == "/settings?said=asked"
    await store.apply(_run_all, tables.user_sessions.update().values(inserted_at=now() - timedelta(minutes=11)))
    for path, fields in (("/settings/email", {"email": NEW}), ("/settings/delete", {"confirm": EMAIL})):
        answer = await ada.submit(path, page="/settings", **fields)
        assert answer.headers["location"] == "/auth/login?again=1"


async def test_hijack_nobody_confirms_an_address_for_another_account(people: People) -> None:
    """Else a stranger gives their own account a victim's address, and waits until the victim opens the link."""
    mallory = await people.newcomer("mallory@example.org")
    await ask(mallory, "victim@example.org")
    path = await people.mailbox.link("victim@example.org")
    victim = await people.newcomer("victim@example.org", mails=2)
    answer = await victim.submit("/settings/email/confirm", page=path)
    assert "used already" in problem(answer)
    assert "/auth/login" in str((await people.browser().open(path)).url)
    taken = await mallory.submit("/settings/email/confirm", page=path)
    assert "another account" in problem(taken)


async def test_hijack_the_old_address_takes_the_account_back_whatever_came_after(people: People) -> None:
    thief = await people.newcomer(EMAIL)  # who has the password, and changes the address twice
    await change_email(people, thief, "thief@evil.example")
    undo = await people.mailbox.link(EMAIL, 2)
    await change_email(people, thief, "thief@worse.example")
    back_to_thief = await people.mailbox.link("thief@evil.example", 2)

    ada = people.browser()
    await ada.open(undo)  # opening it changes nothing
    assert await thief.signed_in
    answer = await ada.submit("/auth/email-undo", page=undo)
    assert EMAIL in answer.text
    assert not await thief.signed_in
    for email in (EMAIL, "thief@worse.example"):
        refused = await people.browser().submit("/auth/login", email=email, password=PASSWORD)
        assert "not right" in problem(refused)
    assert "used already" in problem(await thief.submit("/auth/email-undo", page=back_to_thief))
    reset = await people.mailbox.link(EMAIL, 3)
    await ada.submit("/auth/reset", page=reset, password="seven other bridges over copper")
    assert await (await people.signed_in(EMAIL, "seven other bridges over copper")).signed_in


async def test_enumeration_a_taken_address_is_told_to_its_owner_only(people: People) -> None:
    await people.newcomer("bob@example.org")
    ada = await people.newcomer(EMAIL)
    answers = [
        await ada.submit("/settings/email", page="/settings", email=email, password=PASSWORD)
        for email in ("bob@example.org", "free@example.org")
    ]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    mail = await people.mailbox.wait("bob@example.org", 2)
    assert mail["Subject"] == "You have an account already"
    assert "token=" not in mail.get_content()


async def test_the_tenant_is_renamed_by_its_owner_only(people: People) -> None:
    owner = await people.signed_in(OLGA)
    admin = await people.newcomer("bob@example.org", await people.invitation(owner, role="admin"))
    refused = await post_from(admin, "/settings", "/settings/tenant", tenant_name="Evil Inc")
    assert "needs the role owner" in problem(refused)
    await owner.submit("/settings/tenant", page="/settings", tenant_name="Night Shift")
    assert "Night Shift" in (await admin.open("/team")).text
    assert "1 to 100" in problem(await owner.submit("/settings/tenant", page="/settings", tenant_name=" "))


async def test_who_deletes_their_account_leaves_nothing_but_deeds(people: People) -> None:
    owner = await people.signed_in(OLGA)
    bob = await people.newcomer("bob@example.org", await people.invitation(owner, role="admin"))
    phone = await people.signed_in("bob@example.org")
    for wrong in ({"confirm": "ada@example.org"}, {"password": "a guess of somebody"}):
        fields = {"confirm": "bob@example.org", "password": PASSWORD, **wrong}
        assert "not your" in problem(await bob.submit("/settings/delete", page="/settings", **fields))
    assert await bob.signed_in

    answer = await bob.submit("/settings/delete", page="/settings", confirm="BOB@example.org", password=PASSWORD)
    assert answer.headers["location"] == "/auth/login"
    assert not await phone.signed_in
    assert (await people.mailbox.wait("bob@example.org", 2))["Subject"] == "Your account was deleted"
    assert "bob@example.org" not in (await owner.open("/team")).text
    store = people.hub.hub.store
    for table in (tables.memberships, tables.user_sessions, tables.one_time_tokens):
        query = sa.select(sa.func.count()).where(table.c.user_id.not_in(sa.select(tables.users.c.id)))
        assert await store.read(lambda connection, query=query: connection.execute(query).scalar_one()) == 0  # type: ignore[misc]  # bound at once
    deeds = await people.hub.hub.administration.audit(await tenant_of(people, owner), action="user.deleted")
    assert "bob" not in str(deeds)
    assert len(deeds) == 1
    assert await (await people.newcomer("bob@example.org", await people.invitation(owner), mails=3)).signed_in


async def test_the_last_owner_of_a_tenant_cannot_go(people: People) -> None:
    owner = await people.signed_in(OLGA)
    answer = await owner.submit("/settings/delete", page="/settings", confirm=OLGA, password=PASSWORD)
    assert "You are the last owner of" in problem(answer)
    assert await owner.signed_in


@pytest.mark.parametrize("path", ["/settings", "/settings/email?token=x"])
async def test_without_a_session_there_are_no_settings(people: People, path: str) -> None:
    assert (await people.browser().open(path)).url.path == "/auth/login"


def _run_all(tx: Transaction, statements: Sequence[sa.Executable]) -> list[None]:
    for statement in statements:
        tx.execute(statement)
    return [None] * len(statements)


async def tenant_of(people: People, browser: Browser) -> str:
    person = await people.accounts.sessions.find(browser.session or "")
    assert person is not None
    return person.tenant_id

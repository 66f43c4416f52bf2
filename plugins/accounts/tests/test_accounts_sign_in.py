"""A person registers, confirms, signs in, and everything that ends a session ends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts_browser import PASSWORD, People, problem, running_people

from ringforge_core.ports.store import Transaction


async def test_the_first_owner_comes_in_by_the_operators_link_once(people: People) -> None:
    path = people.owner_path
    owner = await people.owner()
    assert "default" in (await owner.open("/settings")).text
    second = people.browser()
    answer = await second.submit("/auth/owner", page=path, name="Eve", email="eve@example.org", password=PASSWORD)
    assert "used already" in problem(answer)
    assert not await second.signed_in


async def test_registering_needs_the_mail_and_the_password_again(people: People) -> None:
    ada = people.browser()
    answer = await ada.submit("/auth/register", name="Ada", email="ada@example.org", password=PASSWORD)
    assert "Check your mail" in answer.text
    path = await people.mailbox.link("ada@example.org")
    assert not await ada.signed_in

    wrong = await ada.submit("/auth/verify", page=path, password="another password")
    assert "not the password that you chose" in problem(wrong)
    assert (await ada.submit("/auth/verify", page=path, password=PASSWORD)).status_code == 303
    assert await ada.signed_in
    assert "owner" in (await ada.open("/settings")).text

    again = await people.browser().submit("/auth/verify", page=path, password=PASSWORD)
    assert "used already" in problem(again)


async def test_a_person_signs_in_with_any_spelling_of_their_email(people: People) -> None:
    await people.newcomer("ada@example.org")
    assert await (await people.signed_in(" ADA@Example.org")).signed_in


async def test_signing_in_leads_back_to_where_one_wanted_to_go(people: People) -> None:
    await people.newcomer("ada@example.org")
    ada = people.browser()
    page = await ada.open("/team?tab=1")
    assert page.url.path == "/auth/login"
    answer = await ada.submit("/auth/login", page=str(page.url), email="ada@example.org", password=PASSWORD)
    assert answer.headers["location"] == "/team?tab=1"


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(people: People) -> None:
    await people.newcomer("ada@example.org")
    ada = people.browser()
    answer = await ada.submit("/auth/login", email="ada@example.org", password=PASSWORD)
    (cookie,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith("_hub_key=")]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=86400"} <= parts
    assert "secure" not in parts  # this hub is on http


async def test_over_https_the_cookie_is_secure(tmp_path: Path) -> None:
    url = "https://hub.example.org"
    async with running_people(tmp_path, RINGFORGE__HUB__PUBLIC_URL=url) as people:
        answer = await people.browser().open("/auth/login")
        assert "; secure" in answer.headers["set-cookie"].lower()
        assert answer.headers["strict-transport-security"]


async def test_d38_signing_out_takes_a_post_and_ends_the_session_on_the_hub(people: People) -> None:
    ada = await people.newcomer("ada@example.org")
    assert (await ada.client.get("/auth/logout")).status_code == 405
    assert await ada.signed_in
    stolen = ada.session or ""
    assert (await ada.submit("/auth/logout", page="/account")).status_code == 303
    assert not await ada.signed_in
    ada.client.cookies.set("_hub_key", stolen)
    assert not await ada.signed_in


async def test_a_session_is_ended_from_another_one(people: People) -> None:
    phone, laptop = await people.newcomer("ada@example.org"), await people.signed_in("ada@example.org")
    assert (await laptop.open("/account")).text.count('/account/sessions/end"') == 1
    assert (await laptop.submit("/account/sessions/end", page="/account")).status_code == 303
    assert await laptop.signed_in
    assert not await phone.signed_in


async def test_signing_out_everywhere_ends_all_sessions(people: People) -> None:
    phone, laptop = await people.newcomer("ada@example.org"), await people.signed_in("ada@example.org")
    await laptop.submit("/account/sessions/end-all", page="/account")
    assert not await phone.signed_in
    assert not await laptop.signed_in


async def test_a_session_ends_by_itself_after_a_day(people: People) -> None:
    ada = await people.newcomer("ada@example.org")
    assert await ada.signed_in
    await people.hub.hub.store.apply(a_day_passes, None)
    assert not await ada.signed_in


def a_day_passes(tx: Transaction, commands: Sequence[None]) -> list[None]:
    day = int(timedelta(days=1).total_seconds() * 1e6)
    tx.execute(
        sa.text("UPDATE user_sessions SET inserted_at = inserted_at - :day, expires_at = expires_at - :day"), {"day": day}
    )
    return [None for _ in commands]


async def test_sessions_outlive_a_restart_of_the_hub(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="self_serve") as people:
        cookie = (await people.newcomer("ada@example.org")).session or ""
    async with running_people(tmp_path, registration="self_serve") as people:
        ada = people.browser()
        ada.client.cookies.set("_hub_key", cookie)
        assert await ada.signed_in


async def test_a_new_password_by_mail_ends_all_sessions_and_works_once(people: People) -> None:
    ada = await people.newcomer("ada@example.org")
    somebody = people.browser()
    await somebody.submit("/auth/forgot", email="ada@example.org")
    path = await people.mailbox.link("ada@example.org", 2)
    answer = await somebody.submit("/auth/reset", page=path, password="seven other bridges over copper")
    assert "Password set" in answer.text
    assert not await ada.signed_in
    assert await (await people.signed_in("ada@example.org", "seven other bridges over copper")).signed_in
    again = await somebody.submit("/auth/reset", page=path, password="yet another bridge of lanterns")
    assert "used already" in problem(again)


async def test_only_the_newest_reset_link_works(people: People) -> None:
    await people.newcomer("ada@example.org")
    somebody = people.browser()
    await somebody.submit("/auth/forgot", email="ada@example.org")
    first = await people.mailbox.link("ada@example.org", 2)
    await somebody.submit("/auth/forgot", email="ada@example.org")
    await people.mailbox.link("ada@example.org", 3)
    answer = await somebody.submit("/auth/reset", page=first, password="seven other bridges over copper")
    assert "used already" in problem(answer)


async def test_changing_the_password_takes_the_old_one_and_ends_other_sessions(people: People) -> None:
    ada, other = await people.newcomer("ada@example.org"), await people.signed_in("ada@example.org")
    new = "seven other bridges over copper"
    wrong = await ada.submit("/account/password", page="/account", old="not it at all", password=new)
    assert "not your password" in problem(wrong)
    assert (await ada.submit("/account/password", page="/account", old=PASSWORD, password=new)).status_code == 303
    assert await ada.signed_in
    assert not await other.signed_in


@pytest.mark.parametrize(
    "password", ["short", "password123", "ada@example.org", "x" * 201], ids=["short", "common", "the e-mail", "long"]
)
async def test_a_weak_password_is_refused(people: People, password: str) -> None:
    answer = await people.browser().submit("/auth/register", name="Ada", email="ada@example.org", password=password)
    assert answer.status_code == 400
    assert people.mailbox.messages == []
    assert password not in answer.text or password == "ada@example.org"


async def test_what_is_at_rest_opens_nothing(people: People, tmp_path: Path) -> None:
    ada = await people.newcomer("ada@example.org")
    await ada.submit("/auth/forgot", email="ada@example.org")
    token = (await people.mailbox.link("ada@example.org", 2)).partition("token=")[2]
    at_rest = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))  # noqa: ASYNC240 — a test may block
    for secret in (PASSWORD, ada.session or "", token):
        assert secret.encode() not in at_rest


async def test_deeds_are_in_the_audit_log_of_the_tenant(people: People) -> None:
    ada = await people.newcomer("ada@example.org")
    await people.browser().submit("/auth/login", email="ada@example.org", password="not her password")
    await ada.submit("/auth/logout", page="/account")
    query = sa.text("SELECT action, actor_type FROM audit_logs ORDER BY tenant_id, seq")
    rows = await people.hub.hub.store.read(lambda connection: connection.execute(query).fetchall())
    deeds = [row.action for row in rows if row.actor_type == "user"]
    assert deeds == ["tenant.registered", "user.registered", "tenant.login", "tenant.login_failed", "tenant.logout"]

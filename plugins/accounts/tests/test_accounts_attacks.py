"""Attacks that are tried here and fail, each named after what it is."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from accounts_browser import PASSWORD, People, hidden_fields, post_from, problem, running_people

EMAIL = "ada@example.org"


# --- the session --------------------------------------------------------------------------------------------------


async def test_session_fixation_a_cookie_from_before_the_sign_in_opens_nothing(people: People) -> None:
    await people.newcomer(EMAIL)
    victim, planted = people.browser(), "planted-by-an-attacker"
    victim.client.cookies.set("_hub_key", planted, domain="127.0.0.1")
    await victim.submit("/auth/login", email=EMAIL, password=PASSWORD)
    assert await victim.signed_in
    assert planted not in [cookie.value for cookie in victim.client.cookies.jar]
    attacker = people.browser()
    attacker.client.cookies.set("_hub_key", planted)
    assert not await attacker.signed_in


async def test_session_fixation_signing_in_again_ends_the_session_before(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    before = ada.session or ""
    page = await ada.client.get("/auth/forgot")  # a page for everybody, also while signed in
    form = hidden_fields(page, "/auth/forgot")
    await ada.post("/auth/login", **form, email=EMAIL, password=PASSWORD)
    assert ada.session != before
    attacker = people.browser()
    attacker.client.cookies.set("_hub_key", before)
    assert not await attacker.signed_in


async def test_the_cookie_changes_with_the_rights(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    cookies = [ada.session]
    await ada.submit("/account/password", page="/account", old=PASSWORD, password="seven other bridges over copper")
    cookies.append(ada.session)
    owner = await people.owner()
    await ada.submit("/account/join", page="/settings", code=await people.invitation(owner))
    cookies.append(ada.session)
    await ada.submit("/account/switch", page="/settings")
    cookies.append(ada.session)
    assert len(set(cookies)) == 4
    for cookie in cookies[:-1]:
        attacker = people.browser()
        attacker.client.cookies.set("_hub_key", cookie or "")
        assert not await attacker.signed_in


# --- forms --------------------------------------------------------------------------------------------------------

PUBLIC_FORMS = [
    "/auth/login", "/auth/second-factor", "/auth/forgot", "/auth/reset", "/auth/register", "/auth/waitlist", "/auth/verify",
    "/auth/place", "/auth/owner", "/auth/api-key", "/auth/email-undo", "/auth/somebody", "/auth/somebody/callback",
]  # fmt: skip
OWN_FORMS = [
    "/auth/logout", "/account/password", "/account/second-factor/begin", "/account/second-factor", "/account/join",
    "/account/second-factor/off", "/account/sessions/end", "/account/sessions/end-all", "/account/switch",
    "/account/connect/somebody", "/account/disconnect", "/team/invites", "/team/invites/revoke", "/team/role",
    "/team/remove", "/team/waitlist/approve", "/settings/name", "/settings/tenant",
    "/settings/email", "/settings/email/confirm", "/settings/delete",
]  # fmt: skip


async def test_csrf_every_form_is_refused_without_its_token_and_from_elsewhere(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    stranger = people.browser()
    tokens = {
        ada: hidden_fields(await ada.open("/settings"), "/account/join")["_csrf"],
        stranger: hidden_fields(await stranger.open("/auth/login"), "/auth/login")["_csrf"],
    }
    tried = 0
    for browser, paths in ((stranger, PUBLIC_FORMS), (ada, OWN_FORMS)):
        for path in paths:
            other = tokens[ada] if browser is stranger else tokens[stranger]
            for fields, headers in (
                ({}, {}),
                ({"_csrf": other}, {}),
                ({"_csrf": tokens[browser]}, {"origin": "https://evil.example"}),
                ({"_csrf": tokens[browser]}, {"sec-fetch-site": "cross-site"}),
            ):
                answer = await browser.client.post(path, data=fields, headers=headers)
                assert (path, answer.status_code) == (path, 403)
                tried += 1
    assert tried == 4 * (len(PUBLIC_FORMS) + len(OWN_FORMS))
    assert await ada.signed_in


def test_csrf_the_forms_above_are_all_there_are(people: People) -> None:
    application = people.hub.hub.application(runs_hub=False)
    paths = {route.path for route in application.routes if "POST" in getattr(route, "methods", ())}
    ours = {path for path in paths if path.startswith(("/auth", "/account", "/settings", "/team"))}
    assert ours == {path.replace("somebody", "{adapter:str}") for path in PUBLIC_FORMS + OWN_FORMS}


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_open_redirect_nobody_is_led_elsewhere_by_a_sign_in(people: People, target: str) -> None:
    await people.newcomer(EMAIL)
    ada = people.browser()
    page = f"/auth/login?{httpx.QueryParams(next=target)}"
    answer = await ada.submit("/auth/login", page=page, email=EMAIL, password=PASSWORD)
    assert answer.headers["location"] == "/account"
    assert (await ada.open(page)).url.path == "/account"  # who is signed in is led on at once
    answer = await post_from(ada, "/account", "/account/switch", tenant_id=await own_tenant(people), next=target)
    assert answer.headers["location"] == "/account"


async def test_no_form_holds_markup_that_somebody_chose(people: People) -> None:
    name = '"><script>alert(1)</script>'
    ada = people.browser()
    answer = await ada.submit("/auth/register", name=name, email="no address", password=PASSWORD)
    assert "<script>" not in answer.text
    await ada.submit("/auth/register", name=name, email=EMAIL, password=PASSWORD)
    await ada.submit("/auth/verify", page=await people.mailbox.link(EMAIL), password=PASSWORD)
    assert "<script>" not in (await ada.open("/team")).text + (await ada.open("/account")).text


# --- links in mails -----------------------------------------------------------------------------------------------


async def test_link_prefetch_opening_a_link_changes_nothing(people: People) -> None:
    """A mail scanner opens every link, often more than once."""

    async def scanned(path: str) -> str:
        scanner = people.browser()
        for _ in range(3):
            assert (await scanner.open(path)).status_code == 200
            await scanner.client.head(path)
        assert not await scanner.signed_in
        return path

    owner_path = await scanned(people.owner_path)
    browser = people.browser()
    answer = await browser.submit("/auth/owner", page=owner_path, name="O", email="olga@example.org", password=PASSWORD)
    assert answer.status_code == 303

    ada = people.browser()
    await ada.submit("/auth/register", name="Ada", email=EMAIL, password=PASSWORD)
    verify = await scanned(await people.mailbox.link(EMAIL))
    assert (await ada.submit("/auth/verify", page=verify, password=PASSWORD)).status_code == 303
    await ada.submit("/auth/forgot", email=EMAIL)
    reset = await scanned(await people.mailbox.link(EMAIL, 2))
    assert await ada.signed_in
    answer = await ada.submit("/auth/reset", page=reset, password="seven other bridges over copper")
    assert "Password set" in answer.text


async def test_host_header_poisoning_links_in_mails_lead_to_the_hub(people: People) -> None:
    """With a Host of their own, attackers ask for somebody's new password, and would be sent the link's token."""
    await people.newcomer(EMAIL)
    attacker = people.browser()
    form = hidden_fields(await attacker.open("/auth/forgot"), "/auth/forgot")
    headers = {"host": "evil.example", "origin": "http://evil.example", "x-forwarded-host": "evil.example"}
    answer = await attacker.client.post("/auth/forgot", data={**form, "email": EMAIL}, headers=headers)
    assert answer.status_code in (200, 403)
    await attacker.submit("/auth/forgot", email=EMAIL)  # so that there is a mail in any case
    await people.mailbox.wait(EMAIL, 2 if answer.status_code == 403 else 3)
    for mail in people.mailbox.to(EMAIL):
        assert "evil.example" not in mail.get_content()
        assert people.hub.http_url in mail.get_content()


async def test_no_get_changes_anything(people: People) -> None:
    ada = await people.newcomer(EMAIL)

    async def state() -> list[Any]:
        tables = ["users", "memberships", "user_sessions", "one_time_tokens", "invites", "waitlist", "recovery_codes"]
        texts = [f"SELECT * FROM {table} ORDER BY 1" for table in tables]  # noqa: S608 — the names above
        return await people.hub.hub.store.read(
            lambda connection: [connection.execute(sa.text(text)).fetchall() for text in texts]
        )

    before = await state()
    for path in {path.replace("somebody", "x") for path in PUBLIC_FORMS + OWN_FORMS} | {"/account", "/settings", "/team"}:
        assert (await ada.client.get(path)).status_code in (200, 303, 404, 405)
    assert await state() == before


async def test_pre_registration_hijack_an_account_has_no_password_that_its_owner_did_not_give(people: People) -> None:
    """Somebody registers another's address and hopes that they click."""
    attacker = people.browser()
    await attacker.submit("/auth/register", name="Ada", email=EMAIL, password="the attacker's own password")
    path = await people.mailbox.link(EMAIL)
    victim = people.browser()
    answer = await victim.submit("/auth/verify", page=path, password=PASSWORD)
    assert "not the password" in problem(answer)
    answer = await attacker.submit("/auth/login", email=EMAIL, password="the attacker's own password")
    assert answer.status_code == 400


# --- guessing -----------------------------------------------------------------------------------------------------


async def test_brute_force_of_a_password_is_stopped_also_from_many_addresses(tmp_path: Path) -> None:
    proxies = {"RINGFORGE__HUB__TRUSTED_PROXIES": '["127.0.0.1"]'}
    async with running_people(tmp_path, registration="self_serve", tries_per_account="5", **proxies) as people:
        await people.newcomer(EMAIL)
        answers = [
            await people.browser(**{"x-forwarded-for": f"203.0.113.{n}"}).submit(
                "/auth/login", email=EMAIL, password=f"guess {n}"
            )
            for n in range(6)
        ]
        assert [answer.status_code for answer in answers] == [400] * 5 + [429]
        good = await people.browser(**{"x-forwarded-for": "203.0.113.99"}).submit(
            "/auth/login", email=EMAIL, password=PASSWORD
        )
        assert good.status_code == 429


async def test_password_spraying_one_password_for_many_accounts_is_stopped(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="self_serve", tries_per_address="8") as people:
        sprayer = people.browser()
        answers = [
            (await sprayer.submit("/auth/login", email=f"person{n}@example.org", password=PASSWORD)).status_code
            for n in range(10)
        ]
        assert answers == [400] * 8 + [429] * 2


async def test_password_spraying_from_one_ipv6_network_counts_as_one_address(tmp_path: Path) -> None:
    settings = {"RINGFORGE__HUB__TRUSTED_PROXIES": '["127.0.0.1"]', "tries_per_address": "4"}
    async with running_people(tmp_path, **settings) as people:
        statuses = [
            (
                await people.browser(**{"x-forwarded-for": f"2001:db8::{n:x}:1"}).submit(
                    "/auth/login", email=f"person{n}@example.org", password=PASSWORD
                )
            ).status_code
            for n in range(6)
        ]
        assert statuses == [400] * 4 + [429] * 2


async def test_brute_force_many_guesses_at_once_are_not_more_than_one_after_another(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="self_serve", tries_per_account="5") as people:
        await people.newcomer(EMAIL)
        browser = people.browser()
        form = hidden_fields(await browser.open("/auth/login"), "/auth/login")
        guesses = [browser.post("/auth/login", **form, email=EMAIL, password=f"guess {n}") for n in range(20)]
        statuses = [answer.status_code for answer in await asyncio.gather(*guesses)]
        assert sorted(statuses) == [400] * 5 + [429] * 15


async def test_invite_guessing_is_limited_and_a_wrong_code_says_nothing(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="invite") as people:
        owner = await people.owner()
        used = await people.invitation(owner)
        await people.newcomer(EMAIL, used)
        for_another = await people.invitation(owner, email="bob@example.org")
        revoked = await people.invitation(owner)
        await owner.submit("/team/invites/revoke", page="/team")
        eve = people.browser()
        fields = {"name": "Eve", "email": "eve@example.org", "password": PASSWORD}
        said = {
            problem(await eve.submit("/auth/register", **fields, invite=code))
            for code in ("aaaa-bbbb-cccc-dddd", used, revoked)
        }
        assert len(said) == 1
        # Whose it is shows only to who proved their e-mail.
        await eve.submit("/auth/register", **fields, invite=for_another)
        path = await people.mailbox.link("eve@example.org")
        assert said == {problem(await eve.submit("/auth/verify", page=path, password=PASSWORD))}
        statuses = []
        for _ in range(25):
            answer = await eve.submit("/auth/register", **fields, invite="aaaa-bbbb-cccc-dddd")
            statuses.append(answer.status_code)
        assert statuses[0] == 400
        assert statuses[-1] == 429


async def test_invite_racing_a_code_for_one_lets_one_in(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="invite") as people:
        code = await people.invitation(await people.owner())
        emails = [f"racer{n}@example.org" for n in range(5)]
        browsers = [people.browser() for _ in emails]
        forms = []
        for browser, email in zip(browsers, emails, strict=True):
            await browser.submit("/auth/register", name="R", email=email, password=PASSWORD, invite=code)
            page = await browser.open(await people.mailbox.link(email))
            forms.append(hidden_fields(page, "/auth/verify"))
        sent = [
            browser.post("/auth/verify", **form, password=PASSWORD) for browser, form in zip(browsers, forms, strict=True)
        ]
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*sent))
        assert statuses == [303, 400, 400, 400, 400]


# --- who has an account -------------------------------------------------------------------------------------------


def without_tokens(page: httpx.Response, email: str) -> str:
    """A page without what differs on each visit, and without the e-mail that was typed."""
    return re.sub(r'value="[^"]*"', "", page.text).replace(email, "")


async def test_user_enumeration_sign_in_registration_and_reset_answer_alike(people: People) -> None:
    await people.newcomer(EMAIL)
    for path, fields in (
        ("/auth/login", {"password": "not the password"}),
        ("/auth/forgot", {}),
        ("/auth/register", {"name": "X", "password": PASSWORD}),
    ):
        known = await people.browser().submit(path, **fields, email=EMAIL)
        unknown = await people.browser().submit(path, **fields, email="nobody@example.org")
        assert known.status_code == unknown.status_code
        assert without_tokens(known, EMAIL) == without_tokens(unknown, "nobody@example.org")
        assert known.headers.keys() == unknown.headers.keys()
    # Only the owner of the mailbox learns it.
    assert "have an account already" in (await people.mailbox.wait(EMAIL, 3))["Subject"]


@pytest.mark.real_hashes
async def test_user_enumeration_an_unknown_account_takes_as_long(tmp_path: Path) -> None:
    settings = {"registration": "self_serve", "tries_per_account": "1000", "tries_per_address": "1000"}
    async with running_people(tmp_path, **settings) as people:
        await people.newcomer(EMAIL)
        browser = people.browser()
        form = hidden_fields(await browser.open("/auth/login"), "/auth/login")

        async def seconds(email: str) -> float:
            began = time.perf_counter()
            await browser.post("/auth/login", **form, email=email, password="not the password")
            return time.perf_counter() - began

        await seconds("warm@example.org")
        known, unknown = [], []
        for n in range(8):  # by turns, so that a busy machine slows both
            known.append(await seconds(EMAIL))
            unknown.append(await seconds(f"nobody{n}@example.org"))
        assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2


# --- another tenant's ids -----------------------------------------------------------------------------------------


async def rows(people: People, text: str) -> list[Any]:
    return list(await people.hub.hub.store.read(lambda connection: connection.execute(sa.text(text)).fetchall()))


async def own_tenant(people: People) -> str:
    ((tenant_id,),) = await rows(people, "SELECT tenant_id FROM memberships")
    return str(tenant_id)


async def test_another_tenants_ids_open_nothing_on_any_form(people: People) -> None:
    ada, bob = await people.newcomer("ada@example.org"), await people.newcomer("bob@example.org")
    await people.invitation(bob)
    ((bob_id,),) = await rows(people, "SELECT id FROM users WHERE email_key = 'bob@example.org'")
    ((tenant_id,),) = await rows(people, f"SELECT tenant_id FROM memberships WHERE user_id = '{bob_id}'")  # noqa: S608
    ((invite_id,),) = await rows(people, "SELECT id FROM invites")
    ((session_id,),) = await rows(people, f"SELECT id FROM user_sessions WHERE user_id = '{bob_id}'")  # noqa: S608
    for page, path, fields, status in (
        ("/team", "/team/role", {"user_id": bob_id, "role": "viewer"}, 400),
        ("/team", "/team/remove", {"user_id": bob_id}, 400),
        ("/team", "/team/invites/revoke", {"id": invite_id}, 404),
        ("/team", "/team/waitlist/approve", {"id": invite_id}, 403),
        ("/account", "/account/switch", {"tenant_id": tenant_id}, 404),
        ("/account", "/account/sessions/end", {"session_id": session_id}, 404),
    ):
        answer = await post_from(ada, page, path, **fields)
        assert (path, answer.status_code) == (path, status)
    assert "bob@example.org" not in (await ada.open("/team")).text
    assert await bob.signed_in
    assert "owner" in (await bob.open("/team")).text
    assert len(await rows(people, "SELECT id FROM invites")) == 1

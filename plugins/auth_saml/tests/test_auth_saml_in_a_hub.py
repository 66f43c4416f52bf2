"""SAML in a hub with accounts: who gets in where, what is refused, and what an answer by POST can be made to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pyotp
import pytest
import pytest_asyncio
from ringforge_accounts import Accounts
from saml_visitor import ACME, CALLBACK, GLOBEX, KEYS, SMALL, SamlHub, Visitor, asked, new_client, problem, running_saml_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE = 20.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SamlHub]:
    async with running_saml_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


async def signed_in(hub: SamlHub, name: str, *, tenant: str = "acme", issuer: str = ACME) -> Visitor:
    """Somebody of a tenant who came through its provider."""
    visitor = hub.visitor()
    email = f"{name}@{tenant}.example"
    state, request_id = await visitor.begin(email)
    answer = await visitor.come_back(hub.answer(request_id, issuer, name_id=name, email=email), state)
    assert answer.status_code == 303, problem(answer)
    return visitor


# --- who gets in --------------------------------------------------------------------------------------------------


async def test_a_newcomer_becomes_a_member_of_the_tenant_and_is_the_same_later(hub: SamlHub) -> None:
    for _ in range(2):
        assert await (await signed_in(hub, "grace")).is_signed_in
        assert await hub.last_session() == ("grace@acme.example", "acme", "saml")
    users = await hub.rows("SELECT id FROM users WHERE email = 'grace@acme.example'")
    roles = await hub.rows(
        "SELECT t.handle, m.role FROM memberships m JOIN tenants t ON t.id = m.tenant_id"
        " JOIN users u ON u.id = m.user_id WHERE u.email = 'grace@acme.example'"
    )
    assert (len(users), [tuple(row) for row in roles]) == (1, [("acme", "member")])


async def test_who_was_removed_from_the_tenant_stays_out_whatever_the_provider_says(hub: SamlHub) -> None:
    await signed_in(hub, "mallory")
    of_mallory = "SELECT id FROM users WHERE email = 'mallory@acme.example'"
    await hub.change(f"DELETE FROM memberships WHERE user_id IN ({of_mallory})")  # noqa: S608 — the line above
    again = hub.visitor()
    state, request_id = await again.begin("mallory@acme.example")
    text = hub.answer(request_id, name_id="mallory", email="mallory@acme.example")
    assert "You do not belong to this tenant" in problem(await again.come_back(text, state))
    assert not await again.is_signed_in


async def test_the_session_is_in_the_tenant_of_the_provider(hub: SamlHub) -> None:
    """Though the person belongs to another one longer."""
    await signed_in(hub, "linus")
    await hub.join("linus@acme.example", "globex")
    await signed_in(hub, "linus")
    assert await hub.last_session() == ("linus@acme.example", "acme", "saml")


async def test_a_second_factor_is_asked_for_and_leads_into_the_same_tenant(hub: SamlHub) -> None:
    erin = await signed_in(hub, "erin")
    (accounts,) = (part for part in hub.hub.hub.capabilities if isinstance(part, Accounts))
    person = await accounts.sessions.find(erin.client.cookies["_hub_key"])
    assert person is not None
    secret = (await accounts.second_factor.enrol(person)).secret
    codes = await accounts.second_factor.enable(person, pyotp.TOTP(secret).now(), address=None)
    await hub.join("erin@acme.example", "globex")
    again = await signed_in(hub, "erin")
    assert not await again.is_signed_in
    answer = await again.submit("/auth/second-factor", "/auth/second-factor", code=codes[0])
    assert answer.status_code == 303, problem(answer)
    assert await hub.last_session() == ("erin@acme.example", "acme", "saml+totp")


async def test_who_has_an_account_connects_it_and_is_let_in_where_they_are_invited(hub: SamlHub) -> None:
    olga = hub.visitor()
    greetings = [part.greeting("") for part in hub.hub.hub.capabilities if part.name == "accounts"]
    page = str(greetings[0]).split()[-1]
    account = {"name": "Olga", "email": "olga@acme.example", "password": "copper lantern under seven bridges"}
    answer = await olga.submit(page, "/auth/owner", token=page.partition("token=")[2], **account)
    assert answer.status_code == 303, problem(answer)

    stranger = hub.visitor()
    state, request_id = await stranger.begin("olga@acme.example")
    parts = {"name_id": "olga", "email": "olga@acme.example"}
    assert "is not linked" in problem(await stranger.come_back(hub.answer(request_id, **parts), state))

    state, request_id = asked(await olga.submit("/account", "/account/connect/saml"))
    assert (await olga.come_back(hub.answer(request_id, **parts), state)).headers["location"] == "/account"

    later = hub.visitor()
    state, request_id = await later.begin("olga@acme.example")
    assert "You do not belong to this tenant" in problem(await later.come_back(hub.answer(request_id, **parts), state))
    await hub.join("olga@acme.example", "acme")
    state, request_id = await later.begin("olga@acme.example")
    assert (await later.come_back(hub.answer(request_id, **parts), state)).status_code == 303
    assert await hub.last_session() == ("olga@acme.example", "acme", "saml")


async def test_an_email_that_no_provider_is_trusted_with_leads_nowhere(hub: SamlHub) -> None:
    for email, words in (
        ("ada@nowhere.example", "No identity provider is set up for nowhere.example"),
        ("ada", "no e-mail"),
    ):
        assert words in problem(await hub.visitor().ask(email))


async def test_the_metadata_says_what_a_provider_must_know(hub: SamlHub) -> None:
    answer = await hub.visitor().client.get("/auth/saml/metadata")
    assert answer.headers["content-type"].startswith("application/samlmetadata+xml")
    for words in (f'Location="{hub.callback}"', "WantAssertionsSigned", "nameid-format:persistent", "HTTP-POST"):
        assert words in answer.text
    assert (await hub.visitor().client.get("/auth/nobody/metadata")).status_code == 404


# --- by plan ------------------------------------------------------------------------------------------------------


async def test_without_single_sign_on_in_the_plan_it_is_not_offered(hub: SamlHub) -> None:
    answer = await hub.visitor().ask("ada@small.example")
    assert "does not include single sign-on" in problem(answer)


async def test_a_plan_that_is_left_on_the_way_lets_nobody_in_and_one_that_is_bought_does(hub: SamlHub) -> None:
    async def change_plan(plan: str, *, offers: bool) -> None:
        await hub.change("UPDATE tenants SET plan = :plan WHERE handle = 'small'", plan=plan)
        async with asyncio.timeout(DEADLINE):
            while ("does not include" in (await hub.visitor().ask("ada@small.example")).text) is offers:  # noqa: ASYNC110 — the hub has no event
                await asyncio.sleep(0.2)  # plans are looked at again every two seconds

    await change_plan("enterprise", offers=True)
    early, late = hub.visitor(), hub.visitor()
    begun = [await visitor.begin("ada@small.example") for visitor in (early, late)]
    texts = [hub.answer(request_id, SMALL, email="ada@small.example") for _, request_id in begun]
    assert (await early.come_back(texts[0], begun[0][0])).status_code == 303
    await change_plan("pro", offers=False)
    assert "does not include single sign-on" in problem(await late.come_back(texts[1], begun[1][0]))
    assert not await late.is_signed_in


async def test_a_tenant_that_is_suspended_lets_nobody_in(hub: SamlHub) -> None:
    await hub.change("UPDATE tenants SET suspended_at = 1 WHERE handle = 'globex'")
    assert "is not there" in problem(await hub.visitor().ask("ada@globex.example"))
    await hub.change("UPDATE tenants SET suspended_at = NULL WHERE handle = 'globex'")


# --- what one tenant's provider may not say -----------------------------------------------------------------------


async def test_email_only_a_foreign_domain_is_not_believed(hub: SamlHub) -> None:
    await signed_in(hub, "victim")
    for email in ("victim@acme.example", "somebody@nowhere.example"):
        thief = hub.visitor()
        state, request_id = await thief.begin("thief@globex.example")
        text = hub.answer(request_id, GLOBEX, name_id="victim", email=email)
        assert "gave no e-mail of your company" in problem(await thief.come_back(text, state))
        assert not await thief.is_signed_in


async def test_other_tenant_the_same_name_at_another_provider_is_another_person(hub: SamlHub) -> None:
    await signed_in(hub, "alex")
    await signed_in(hub, "alex", tenant="globex", issuer=GLOBEX)
    assert await hub.last_session() == ("alex@globex.example", "globex", "saml")


async def test_other_tenant_a_provider_does_not_answer_what_was_asked_of_another(hub: SamlHub) -> None:
    for claimed in (GLOBEX, ACME):
        thief = hub.visitor()
        state, request_id = await thief.begin("victim@acme.example")
        text = hub.answer(request_id, GLOBEX) if claimed == GLOBEX else forged_by_globex(hub, request_id)
        assert "did not confirm who you are" in problem(await thief.come_back(text, state))
        assert not await thief.is_signed_in


def forged_by_globex(hub: SamlHub, request_id: str) -> str:
    """As if it were acme, with the key of globex."""
    own, KEYS[ACME] = KEYS[ACME], KEYS[GLOBEX]
    try:
        return hub.answer(request_id, ACME, email="victim@acme.example")
    finally:
        KEYS[ACME] = own


# --- the answer by POST -------------------------------------------------------------------------------------------


async def test_replay_of_a_response_opens_nothing_in_the_same_browser_or_another(hub: SamlHub) -> None:
    first = hub.visitor()
    state, request_id = await first.begin()
    text = hub.answer(request_id)
    assert (await first.come_back(text, state)).status_code == 303
    for browser in (first, hub.visitor()):
        assert (await browser.client.get("/auth/login")).status_code in (200, 303)
        assert "finished already" in problem(await browser.come_back(text, state))
    later = hub.visitor()
    new_state, _ = await later.begin()
    assert "did not confirm" in problem(await later.come_back(text, new_state))
    assert not await later.is_signed_in


async def test_two_posts_of_one_response_at_once_let_one_in(hub: SamlHub) -> None:
    visitor = hub.visitor()
    state, request_id = await visitor.begin()
    path = await visitor.post(hub.answer(request_id), state)
    cookies = dict(visitor.client.cookies)
    racers = [hub.visitor() for _ in range(4)]
    for racer in racers:
        racer.client.cookies.update(cookies)
    statuses = [answer.status_code for answer in await asyncio.gather(*(racer.client.get(path) for racer in racers))]
    assert sorted(statuses) == [303, 400, 400, 400]


async def test_state_of_another_browser_signs_nobody_in_and_stays_good_for_its_own(hub: SamlHub) -> None:
    """Sign-in CSRF: the attacker's answer, posted by the victim's browser, would make the victim work as the attacker."""
    attacker, victim = hub.visitor(), hub.visitor()
    state, request_id = await attacker.begin()
    await victim.client.get("/auth/login")
    assert "began elsewhere" in problem(await victim.come_back(hub.answer(request_id), state))
    assert not await victim.is_signed_in
    assert (await attacker.come_back(hub.answer(request_id), state)).status_code == 303


@pytest.mark.parametrize("state", ["", "made-up", "x" * 5000])
async def test_an_answer_that_nobody_asked_for_is_refused(hub: SamlHub, state: str) -> None:
    """IdP-initiated; it is not kept either."""
    visitor = hub.visitor()
    await visitor.client.get("/auth/login")
    before = await hub.rows("SELECT count(*) FROM sign_in_attempts")
    path = await visitor.post(hub.answer("_none"), state)
    assert len(path) < 300
    assert "began elsewhere" in problem(await visitor.client.get(path))
    assert await hub.rows("SELECT count(*) FROM sign_in_attempts") == before


async def test_an_answer_in_the_address_is_not_looked_at(hub: SamlHub) -> None:
    """It would be in the log of every proxy."""
    visitor = hub.visitor()
    state, request_id = await visitor.begin()
    query = {"state": state, "SAMLResponse": hub.answer(request_id)}
    assert "did not confirm" in problem(await visitor.client.get(CALLBACK, params=query))


async def test_what_is_held_is_sealed_and_only_the_last_answer_is_held(hub: SamlHub) -> None:
    visitor = hub.visitor()
    state, request_id = await visitor.begin()
    await visitor.post("bm90aGluZw==", state)
    await visitor.post(hub.answer(request_id, name_id="in-clear", email="clear@acme.example"), state)
    kept = [bytes(row.kept) for row in await hub.rows("SELECT kept FROM sign_in_attempts")]
    assert [row for row in kept if b"SAML" in row or b"clear" in row] == []
    assert (await visitor.client.get(f"{CALLBACK}?state={state}")).status_code == 303


async def test_too_large_a_form_is_refused_and_not_kept(hub: SamlHub) -> None:
    visitor = hub.visitor()
    state, _ = await visitor.begin()
    async with new_client(hub.url) as page:
        answer = await page.post(CALLBACK, data={"SAMLResponse": "A" * 600_000, "RelayState": state})
    assert answer.status_code == 413
    kept = await hub.rows("SELECT max(length(kept)) AS longest FROM sign_in_attempts")
    assert kept[0].longest < 100_000


async def test_the_host_that_a_request_names_is_not_who_we_are(hub: SamlHub) -> None:
    """A response that another service got for itself is for that one's entity ID, whatever host it is brought under."""
    visitor = hub.visitor()
    state, request_id = await visitor.begin()
    text = hub.answer(request_id, audience="https://evil.example/auth/saml/metadata")
    assert "did not confirm" in problem(await visitor.come_back(text, state))

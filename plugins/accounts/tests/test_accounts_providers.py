"""Sign-in by adapters of the port Auth: a provider that the tests play themselves, and a link by mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from accounts_browser import PASSWORD, Browser, People, hidden_fields, problem, running_people
from throwaway_plugins import PluginDirectory, plugin_directory

__all__ = ["plugin_directory"]

MIRROR = """
    from urllib.parse import urlencode

    from ringforge_core.errors import Unauthenticated
    from ringforge_core.plugin import Adapter, NoSettings, hookimpl
    from ringforge_core.ports.auth import Auth, Begun, VerifiedIdentity

    class Mirror(Auth):
        provider = label = "mirror"

        async def start(self): ...
        async def stop(self): ...

        async def begin(self, attempt):
            return Begun(redirect_url=f"https://mirror.example/?{urlencode({'state': attempt.state})}", kept={"nonce": "n"})

        async def complete(self, answer):
            if answer.kept != {"nonce": "n"} or "subject" not in answer.parameters:
                raise Unauthenticated("You declined.")
            return VerifiedIdentity(
                provider="mirror", subject=answer.parameters["subject"], email=answer.parameters.get("email"),
                email_verified=answer.parameters.get("verified") == "yes", name="Ada",
            )

    @hookimpl
    def ringforge_adapter():
        return Adapter(port=Auth, settings_type=NoSettings, create=lambda settings, context: Mirror())
"""
"""A provider that says of a person what the callback's parameters say."""

EMAIL = "ada@example.org"


@pytest.fixture
async def people(tmp_path: Path, plugin_directory: PluginDirectory) -> AsyncIterator[People]:
    plugin_directory.install("mirror", {"auth.mirror": "mirror_plugin"}, MIRROR)
    settings = {"RINGFORGE__AUTH__USE": "mirror, magic_link", "registration": "self_serve"}
    async with running_people(tmp_path, **settings) as running:
        yield running


async def begin(browser: Browser, *, page: str = "/auth/login", path: str = "/auth/mirror") -> str:
    """Go to the provider; returns the state that it is given."""
    answer = await browser.submit(path, page=page)
    assert answer.status_code == 200, answer.text
    target = answer.text.partition('content="0; url=')[2].partition('"')[0]
    assert target.startswith("https://mirror.example/?state=")
    return target.rpartition("=")[2]


async def come_back(browser: Browser, state: str, subject: str = "42", **more: str) -> httpx.Response:
    answer = await browser.client.get("/auth/mirror/callback", params={"state": state, "subject": subject, **more})
    assert answer.status_code < 500
    return answer


async def test_a_newcomer_with_a_verified_email_gets_an_account_and_later_the_same(people: People) -> None:
    ada = people.browser()
    assert (await come_back(ada, await begin(ada), email=EMAIL, verified="yes")).status_code == 303
    assert EMAIL in (await ada.open("/account")).text
    again = people.browser()
    assert (await come_back(again, await begin(again), email="changed@example.org")).status_code == 303
    assert EMAIL in (await again.open("/account")).text


async def test_email_only_linking_the_same_address_elsewhere_opens_no_account(people: People) -> None:
    await people.newcomer(EMAIL)
    for verified in ("yes", "no"):
        thief = people.browser()
        answer = await come_back(thief, await begin(thief), subject="thief", email=EMAIL, verified=verified)
        assert answer.status_code == 400
        assert not await thief.signed_in


async def test_an_unverified_address_makes_no_account(people: People) -> None:
    eve = people.browser()
    answer = await come_back(eve, await begin(eve), email="eve@example.org", verified="no")
    assert "does not say that this e-mail is yours" in problem(answer)


async def test_who_is_signed_in_connects_an_identity_and_signs_in_with_it(people: People) -> None:
    ada = await people.newcomer(EMAIL)
    state = await begin(ada, page="/account", path="/account/connect/mirror")
    assert (await come_back(ada, state, email="other@example.org")).headers["location"] == "/account"
    assert "other@example.org" in (await ada.open("/account")).text
    laptop = people.browser()
    assert (await come_back(laptop, await begin(laptop))).status_code == 303
    assert EMAIL in (await laptop.open("/account")).text

    await ada.submit("/account/disconnect", page="/account")
    phone = people.browser()
    assert (await come_back(phone, await begin(phone), email="other@example.org")).status_code == 400


async def test_the_last_way_in_stays(tmp_path: Path, plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("mirror", {"auth.mirror": "mirror_plugin"}, MIRROR)
    async with running_people(tmp_path, registration="self_serve", RINGFORGE__AUTH__USE="mirror") as people:
        ada = people.browser()
        await come_back(ada, await begin(ada), email=EMAIL, verified="yes")
        assert "sign in with nothing else" in problem(await ada.submit("/account/disconnect", page="/account"))
        again = people.browser()
        assert (await come_back(again, await begin(again))).status_code == 303
        await ada.submit("/account/password", page="/account", password=PASSWORD)
        assert (await ada.submit("/account/disconnect", page="/account")).status_code == 303


async def test_an_identity_of_one_account_is_not_taken_by_another(people: People) -> None:
    ada, bob = await people.newcomer(EMAIL), await people.newcomer("bob@example.org")
    for browser, status in ((ada, 303), (bob, 400)):
        state = await begin(browser, page="/account", path="/account/connect/mirror")
        assert (await come_back(browser, state)).status_code == status


async def test_connecting_needs_the_session_that_began_it(people: People) -> None:
    """An attacker's callback link, opened by a victim who is signed in, would connect the attacker's identity."""
    attacker, victim = await people.newcomer("eve@example.org"), await people.newcomer(EMAIL)
    state = await begin(attacker, page="/account", path="/account/connect/mirror")
    assert (await come_back(victim, state)).status_code == 400
    assert "mirror</strong>" not in (await victim.open("/account")).text


async def test_connecting_does_not_go_on_in_the_session_of_the_next_person_at_the_browser(people: People) -> None:
    await people.newcomer("bob@example.org")
    browser = await people.newcomer(EMAIL)
    state = await begin(browser, page="/account", path="/account/connect/mirror")
    await browser.submit("/auth/logout", page="/account")
    await browser.submit("/auth/login", email="bob@example.org", password=PASSWORD)
    assert (await come_back(browser, state)).status_code == 400
    assert "mirror</strong>" not in (await browser.open("/account")).text


async def test_state_replay_an_answer_counts_once(people: People) -> None:
    ada = people.browser()
    state = await begin(ada)
    assert (await come_back(ada, state, email=EMAIL, verified="yes")).status_code == 303
    await ada.submit("/auth/logout", page="/account")
    assert (await come_back(ada, state)).status_code == 400
    assert not await ada.signed_in


async def test_state_of_another_browser_is_refused_and_stays_good_for_its_own(people: People) -> None:
    """Sign-in CSRF: the victim's browser would be signed in as the attacker."""
    attacker, victim = people.browser(), people.browser()
    state = await begin(attacker)
    await victim.open("/auth/login")
    assert (await come_back(victim, state, email="eve@example.org", verified="yes")).status_code == 400
    assert not await victim.signed_in
    assert (await come_back(attacker, state, email="eve@example.org", verified="yes")).status_code == 303


@pytest.mark.parametrize("state", ["", "made-up", "\ud800"])
async def test_an_answer_to_no_attempt_is_refused(people: People, state: str) -> None:
    browser = people.browser()
    await browser.open("/auth/login")
    assert (await come_back(browser, state.encode("utf-8", "replace").decode())).status_code == 400


async def test_who_declines_at_the_provider_is_told_so(people: People) -> None:
    ada = people.browser()
    answer = await ada.client.get("/auth/mirror/callback", params={"state": await begin(ada), "error": "access_denied"})
    assert "You declined" in problem(answer)


async def test_a_way_to_sign_in_that_is_not_there_is_not_found(people: People) -> None:
    assert (await people.browser().client.get("/auth/nobody/callback")).status_code == 404


async def test_on_a_hub_for_the_invited_a_stranger_with_an_identity_stays_out(
    tmp_path: Path, plugin_directory: PluginDirectory
) -> None:
    plugin_directory.install("mirror", {"auth.mirror": "mirror_plugin"}, MIRROR)
    async with running_people(tmp_path, RINGFORGE__AUTH__USE="mirror") as people:
        eve = people.browser()
        answer = await come_back(eve, await begin(eve), email="eve@example.org", verified="yes")
        assert "no account for this identity" in problem(answer)


# --- a link by mail -----------------------------------------------------------------------------------------------


async def ask_for_link(browser: Browser, email: str) -> httpx.Response:
    return await browser.submit("/auth/magic_link", page="/auth/login", email=email)


async def test_d37_a_link_by_mail_signs_in_once_and_only_when_confirmed(people: People) -> None:
    await people.newcomer(EMAIL)
    await ask_for_link(people.browser(), EMAIL)
    path = await people.mailbox.link(EMAIL, 2)
    scanner = people.browser()
    for _ in range(2):
        await scanner.open(path)
    assert not await scanner.signed_in
    phone = people.browser()  # another browser than the one that asked
    answer = await phone.submit("/auth/magic_link/callback", page=path)
    assert answer.status_code == 303
    assert EMAIL in (await phone.open("/account")).text
    again = await people.browser().submit("/auth/magic_link/callback", page=path)
    assert "finished already" in problem(again)


async def test_a_link_by_mail_for_a_newcomer_makes_an_account(people: People) -> None:
    await ask_for_link(people.browser(), "new@example.org")
    browser = people.browser()
    await browser.submit("/auth/magic_link/callback", page=await people.mailbox.link("new@example.org"))
    assert "new@example.org" in (await browser.open("/account")).text


async def test_user_enumeration_asking_for_a_link_tells_nothing(tmp_path: Path) -> None:
    async with running_people(tmp_path, RINGFORGE__AUTH__USE="magic_link") as people:
        await people.owner()
        known = await ask_for_link(people.browser(), "olga@example.org")
        unknown = await ask_for_link(people.browser(), "nobody@example.org")
        assert known.text.replace("olga@", "nobody@") == unknown.text
        await people.mailbox.wait("olga@example.org")
        assert people.mailbox.to("nobody@example.org") == []


async def test_a_link_whose_secret_was_changed_opens_nothing(people: People) -> None:
    await people.newcomer(EMAIL)
    await ask_for_link(people.browser(), EMAIL)
    path = await people.mailbox.link(EMAIL, 2)
    browser = people.browser()
    form = hidden_fields(await browser.open(path), "/auth/magic_link/callback")
    answer = await browser.post("/auth/magic_link/callback", **{**form, "token": form["token"][::-1]})
    assert answer.status_code == 400
    assert not await browser.signed_in


async def test_mails_that_others_cause_are_limited(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="self_serve", mails_per_hour="3") as people:
        for _ in range(5):
            await people.browser().submit("/auth/register", name="Ada", email=EMAIL, password=PASSWORD)
        await people.browser().submit("/auth/register", name="Bob", email="bob@example.org", password=PASSWORD)
        await people.mailbox.wait("bob@example.org")
        assert len(people.mailbox.to(EMAIL)) == 3

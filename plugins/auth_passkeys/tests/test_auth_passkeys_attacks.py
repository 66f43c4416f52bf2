"""Everything that a passkey's sign-in must withstand, tried with an authenticator that cheats; and what it must do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fido2.utils import websafe_encode
from passkeys_town import Town, problem, running_town
from software_authenticator import FLAG, Authenticator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with running_town(tmp_path_factory.mktemp("town")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(town: Town) -> Authenticator:
    """Ada's passkey."""
    _, authenticator = await town.with_passkey("ada")
    return authenticator


async def test_a_passkey_signs_in_without_an_email_again_and_again(town: Town, ada: Authenticator) -> None:
    for _ in range(2):
        browser = town.visitor()
        answer = await browser.answer(ada.get(await browser.asked_to_sign_in()), next="/passkeys/add")
        assert (answer.status_code, answer.headers["location"]) == (303, "/passkeys/add"), problem(answer)
        assert await town.who(browser) == "ada@example.org"


async def test_a_synced_passkey_has_no_counter_and_signs_in_again_and_again(town: Town) -> None:
    _, phone = await town.with_passkey("sid", counts=False)
    for _ in range(2):
        assert (await town.visitor().sign_in_with(phone)).status_code == 303


async def test_it_counts_as_both_factors_and_no_code_is_asked_for(town: Town) -> None:
    _, key = await town.with_passkey("tom")
    await town.run("UPDATE users SET totp_secret = 'x' WHERE email = 'tom@example.org'")
    browser = town.visitor()
    assert (await browser.sign_in("tom@example.org")).headers["location"].startswith("/auth/second-factor")
    assert not (await browser.sign_in_with(key)).headers["location"].startswith("/auth/second-factor")
    assert await town.who(browser) == "tom@example.org"


async def test_session_fixation_the_cookie_changes_with_the_sign_in(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    browser.client.cookies.set("_hub_key", "planted", domain="127.0.0.1", path="/")
    await browser.sign_in_with(ada)
    assert browser.cookie != "planted"
    assert await town.who(browser) == "ada@example.org"


async def test_a_new_passkey_is_mailed_and_audited(town: Town) -> None:
    await town.with_passkey("mia")
    assert "“Blue key”" in await town.mailbox.wait("mia@example.org", "passkey was added")
    assert [
        entry
        for entry in await town.audited("user.passkey_added")
        if '"Blue key"' in str(entry["metadata"]).replace("'", '"')
    ]


# --- answers that prove nothing -----------------------------------------------------------------------------------

LIES = {
    "another-origin": {"origin": "http://evil.localhost:4000"},
    "another-port": {"origin": "http://localhost:1"},
    "the-origin-as-a-prefix": {"origin": "http://localhost.evil.example"},
    "another-relying-party": {"party": "evil.localhost"},
    "nobody-verified": {"flags": FLAG.UP},
    "nobody-present": {"flags": FLAG.UV},
    "in-a-frame": {"crossOrigin": True},
    "the-other-ceremony": {"kind": "webauthn.create"},
    "another-user": {"user_handle": b"00000000-0000-0000-0000-000000000000"},
    "no-user": {"user_handle": b""},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_an_answer_that_is_not_right_is_refused(town: Town, ada: Authenticator, lie: dict[str, object]) -> None:
    browser = town.visitor()
    answer = await browser.answer(ada.get(await browser.asked_to_sign_in(), **lie))  # type: ignore[arg-type]  # as the table says
    assert answer.status_code == 400
    assert "not known here, or it was not used right" in problem(answer)
    assert await town.who(browser) is None


async def test_a_passkey_that_was_made_for_one_name_is_refused_under_another(town: Town, ada: Authenticator) -> None:
    browser = town.visitor("http://other.localhost")
    said = ada.get(await browser.asked_to_sign_in(), origin="http://other.localhost")
    assert "not used right" in problem(await browser.answer(said))


async def test_the_key_of_another_does_not_open_it(town: Town, ada: Authenticator) -> None:
    forger = Authenticator(town.url)
    forger.id, forger.user_handle, forger.count = ada.id, ada.user_handle, ada.count + 1000
    assert "not used right" in problem(await town.visitor().sign_in_with(forger))


async def test_another_persons_passkey_does_not_sign_in_as_ada(town: Town, ada: Authenticator) -> None:
    """Eve signs with her own key, and says that she is Ada."""
    _, eve = await town.with_passkey("eve")
    browser = town.visitor()
    answer = await browser.answer(eve.get(await browser.asked_to_sign_in(), user_handle=ada.user_handle))
    assert answer.status_code == 400
    assert await town.who(browser) is None


async def test_user_enumeration_an_unknown_passkey_gets_the_words_of_a_known_one(town: Town, ada: Authenticator) -> None:
    stranger, forger = Authenticator(town.url), Authenticator(town.url)
    stranger.user_handle = ada.user_handle
    forger.id, forger.user_handle = ada.id, ada.user_handle
    said = {problem(await town.visitor().sign_in_with(each)) for each in (stranger, forger)}
    assert len(said) == 1


RUBBISH = ["", "{}", "[]", "null", '{"id":"AA","rawId":"AA","type":"public-key","response":{}}', "x" * 30_000, "{" * 5000]


@pytest.mark.parametrize("text", RUBBISH, ids=["empty", "object", "list", "null", "no-response", "long", "deep"])
async def test_rubbish_is_refused_in_words(town: Town, text: str) -> None:
    browser = town.visitor()
    await browser.asked_to_sign_in()
    answer = await browser.answer(text)
    assert (answer.status_code, "not used right" in problem(answer)) == (400, True)


async def test_an_answer_with_any_part_damaged_is_refused(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    for part in ("clientDataJSON", "authenticatorData", "signature"):
        for damaged in ("AAAA", None, websafe_encode(b'{"type":1,"challenge":2,"origin":3}')):
            said = json.loads(ada.get(await browser.asked_to_sign_in()))
            said["response"][part] = damaged
            assert (await browser.answer(json.dumps(said))).status_code == 400


# --- challenges ---------------------------------------------------------------------------------------------------


async def test_challenge_replay_an_answer_counts_once(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    said = ada.get(await browser.asked_to_sign_in())
    assert (await browser.answer(said)).status_code == 303
    thief = town.visitor()
    thief.client.cookies.update(browser.client.cookies)
    await browser.submit(browser.security, "/auth/logout")
    answer = await thief.answer(said)
    assert "answered already" in problem(answer)
    assert await town.who(thief) is None


async def test_a_challenge_that_was_answered_wrong_is_used_up(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    asked = await browser.asked_to_sign_in()
    assert (await browser.answer(ada.get(asked, flags=FLAG.UP))).status_code == 400
    assert "answered already" in problem(await browser.answer(ada.get(asked)))


async def test_a_challenge_of_another_browser_is_refused_and_stays_good_for_its_own(town: Town, ada: Authenticator) -> None:
    """Sign-in CSRF: the victim's browser would be signed in as the attacker."""
    attacker, victim = town.visitor(), town.visitor()
    said = ada.get(await attacker.asked_to_sign_in())
    assert "another browser" in problem(await victim.answer(said))
    assert await town.who(victim) is None
    assert (await attacker.answer(said)).status_code == 303


async def test_a_challenge_that_the_hub_did_not_make_is_refused(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    asked = {**await browser.asked_to_sign_in(), "challenge": websafe_encode(bytes(32))}
    assert "another browser" in problem(await browser.answer(ada.get(asked)))


async def test_a_challenge_is_good_for_five_minutes(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    asked = await browser.asked_to_sign_in()
    assert (asked["timeout"], asked["userVerification"]) == (300_000, "required")
    await town.run("UPDATE passkey_challenges SET expires_at = 0")
    assert "took too long" in problem(await browser.answer(ada.get(asked)))


async def test_a_challenge_to_add_does_not_sign_in(town: Town) -> None:
    """Not even where the visit's cookie is what the challenge is bound to."""
    person, key = await town.with_passkey("cleo")
    asked = await person.asked_to_add()
    (session,) = await town.read(
        "SELECT s.id FROM user_sessions s JOIN users u ON u.id = s.user_id WHERE u.email = 'cleo@example.org'"
    )
    browser = town.visitor()
    browser.client.cookies.set("_hub_visit", session["id"], domain="127.0.0.1", path="/")
    await browser.asked_to_sign_in()
    assert "answered already" in problem(await browser.answer(key.get({**asked, "rpId": "localhost"})))


async def test_a_copy_is_found_by_its_counter_refused_and_audited(town: Town) -> None:
    _, key = await town.with_passkey("rob")
    browser = town.visitor()
    assert (await browser.sign_in_with(key)).status_code == 303
    for count in (key.count, key.count - 1, 0):
        thief = town.visitor()
        answer = await thief.answer(key.get(await thief.asked_to_sign_in(), count=count))
        assert "there may be a copy" in problem(answer)
        assert await town.who(thief) is None
    entries = [entry for entry in await town.audited("tenant.login_failed") if "counter" in str(entry["metadata"])]
    assert len(entries) == 3


async def test_csrf_no_other_site_asks_or_answers(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    said = ada.get(await browser.asked_to_sign_in())
    assert (await browser.post("/passkeys/sign-in", answer=said)).status_code == 403
    assert (await browser.post("/passkeys/sign-in/challenge")).status_code == 403
    assert (await browser.client.post("/passkeys/sign-in", data={"answer": said})).status_code == 403
    assert await town.who(browser) is None


async def test_open_redirect_it_leads_to_pages_of_the_hub_only(town: Town, ada: Authenticator) -> None:
    browser = town.visitor()
    answer = await browser.answer(ada.get(await browser.asked_to_sign_in()), next="//evil.example/")
    assert answer.headers["location"] == "/dashboard"


# --- what is tried too often --------------------------------------------------------------------------------------


async def test_tries_are_counted_like_those_of_other_sign_ins(tmp_path_factory: pytest.TempPathFactory) -> None:
    few = {"RINGFORGE__CAPABILITIES__ACCOUNTS__TRIES_PER_ADDRESS": "3"}
    async with running_town(tmp_path_factory.mktemp("few"), **few) as town:
        browser, stranger = town.visitor(), Authenticator(town.url)
        said = [await browser.sign_in_with(stranger) for _ in range(4)]
        assert [answer.status_code for answer in said] == [400, 400, 400, 429]
        assert "tried too often" in problem(said[-1])


async def test_challenges_are_counted_by_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    few = {"RINGFORGE__CAPABILITIES__ACCOUNTS__TRIES_PER_ADDRESS": "1"}
    async with running_town(tmp_path_factory.mktemp("few"), **few) as town:
        browser = town.visitor()
        statuses = [(await browser.challenge("/auth/login", "/passkeys/sign-in")).status_code for _ in range(11)]
        assert statuses == [200] * 10 + [429]

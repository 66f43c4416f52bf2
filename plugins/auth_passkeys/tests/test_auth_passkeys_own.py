"""A person's own passkeys: added, renamed and removed by nobody else, soon after a sign-in, and never the last way in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from passkeys_town import Town, Visitor, problem, running_town
from software_authenticator import FLAG, Authenticator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with running_town(tmp_path_factory.mktemp("town")) as running:
        yield running


async def remove(person: Visitor, passkey_id: str) -> httpx.Response:
    path = f"/passkeys/{passkey_id}/remove"
    return await person.submit(path, path)


async def age_sessions(town: Town) -> None:
    await town.run("UPDATE user_sessions SET inserted_at = 0")


async def test_a_passkey_is_renamed_and_removed_and_then_opens_nothing(town: Town) -> None:
    person, key = await town.with_passkey("ada")
    ((passkey_id, name),) = await person.passkeys()
    assert name == "Blue key"
    await person.submit(f"/passkeys/{passkey_id}", f"/passkeys/{passkey_id}/rename", name="  <b>Red</b>\n key ")
    assert await person.passkeys() == [(passkey_id, "<b>Red</b> key")]
    assert (await remove(person, passkey_id)).status_code == 303
    assert await person.passkeys() == []
    browser = town.visitor()
    assert "not known here" in problem(await browser.sign_in_with(key))
    assert [entry["target_id"] for entry in await town.audited("user.passkey_removed")] == [passkey_id]


async def test_what_is_another_persons_is_not_found_in_whatever_tenant(town: Town) -> None:
    """Eve even works in Vic's tenant."""
    vic, _ = await town.with_passkey("vic")
    ((passkey_id, _),) = await vic.passkeys()
    eve, _ = await town.with_passkey("eve")
    await town.run(
        "INSERT INTO memberships (tenant_id, user_id, role, inserted_at) SELECT m.tenant_id, e.id, 'owner', m.inserted_at"
        " FROM memberships m JOIN users v ON v.id = m.user_id, users e"
        " WHERE v.email = 'vic@example.org' AND e.email = 'eve@example.org'"
    )
    ((eves_id, _),) = await eve.passkeys()
    page = await eve.open(f"/passkeys/{eves_id}/remove")
    token = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert token is not None
    for path in (f"/passkeys/{passkey_id}", f"/passkeys/{passkey_id}/remove"):
        assert (await eve.open(path)).status_code == 404
    for deed in ("rename", "remove"):
        answer = await eve.post(f"/passkeys/{passkey_id}/{deed}", _csrf=token[1], name="mine")
        assert answer.status_code == 404
    assert await vic.passkeys() == [(passkey_id, "Blue key")]


async def test_the_last_way_in_stays(town: Town) -> None:
    person, _ = await town.with_passkey("lou")
    ((passkey_id, _),) = await person.passkeys()
    await town.run("UPDATE users SET password_hash = NULL WHERE email = 'lou@example.org'")
    assert "sign in with nothing else" in problem(await remove(person, passkey_id))
    await person.add(Authenticator(town.url), "Second")
    both = [key for key, _ in await person.passkeys()]
    answers = await asyncio.gather(*(remove(person, key) for key in both))
    assert sorted(answer.status_code for answer in answers) == [303, 400]
    assert len(await person.passkeys()) == 1


async def test_who_signed_in_long_ago_signs_in_again_and_comes_back(town: Town) -> None:
    person, key = await town.with_passkey("pia")
    ((passkey_id, _),) = await person.passkeys()
    said = key.create(await person.asked_to_add())
    token = (await person.client.get("/passkeys/add")).text.partition('name="_csrf" value="')[2].partition('"')[0]
    await age_sessions(town)
    for path in ("/passkeys/add", f"/passkeys/{passkey_id}/remove"):
        answer = await person.client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/auth/login?next=%2Fpasskeys%2F")
        shown = await person.open(path)
        assert "Sign in again" in shown.text
    for path in ("/passkeys/add/challenge", "/passkeys/add", f"/passkeys/{passkey_id}/remove"):
        answer = await person.post(path, _csrf=token, answer=said)
        assert answer.headers["location"] == "/auth/login?again=1"
    assert len(await person.passkeys()) == 1

    answer = await person.answer(key.get(await again(person)), next="/passkeys/add")
    assert answer.headers["location"] == "/passkeys/add"
    assert "Create the passkey" in (await person.open("/passkeys/add")).text


async def again(person: Visitor) -> dict[str, object]:
    answer = await person.challenge("/auth/login?again=1", "/passkeys/sign-in")
    return dict(answer.json())


async def test_who_signs_in_again_stays_in_their_tenant(town: Town) -> None:
    await town.with_passkey("ann")
    ben, key = await town.with_passkey("ben")
    await town.run(
        "INSERT INTO memberships (tenant_id, user_id, role, inserted_at) SELECT m.tenant_id, b.id, 'member', m.inserted_at"
        " FROM memberships m JOIN users a ON a.id = m.user_id, users b"
        " WHERE a.email = 'ann@example.org' AND b.email = 'ben@example.org'"
    )
    assert await tenant_of(town, "ben") == "ben"  # though Ann's is the one that he belongs to longest
    await ben.answer(key.get(await again(ben)))
    assert await tenant_of(town, "ben") == "ben"


async def tenant_of(town: Town, name: str) -> str:
    """Where the person's newest session is."""
    rows = await town.read(
        "SELECT t.name FROM user_sessions s JOIN users u ON u.id = s.user_id JOIN tenants t ON t.id = s.tenant_id"
        " WHERE u.email = :email ORDER BY s.inserted_at DESC", email=f"{name}@example.org",
    )  # fmt: skip
    return str(rows[0]["name"])


# --- adding -------------------------------------------------------------------------------------------------------

LIES = {"another-origin": {"origin": "http://evil.localhost"}, "nobody-verified": {"flags": FLAG.UP}}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_an_answer_that_is_not_right_adds_nothing(town: Town, lie: dict[str, object]) -> None:
    person = town.visitor()
    if (await person.sign_in("zoe@example.org")).status_code != 303:
        person = await town.newcomer("zoe")
    said = Authenticator(town.url).create(await person.asked_to_add(), **lie)  # type: ignore[arg-type]  # as the table says
    answer = await person.submit("/passkeys/add", "/passkeys/add", answer=said, name="x")
    assert "not used right" in problem(answer)
    assert await person.passkeys() == []


async def test_a_challenge_to_add_is_of_its_session_and_counts_once(town: Town) -> None:
    """Else an attacker's answer, in a form that a victim sends, adds the attacker's passkey to the victim's account."""
    eve, victim = await town.newcomer("una"), await town.newcomer("ida")
    said = Authenticator(town.url).create(await eve.asked_to_add())
    answer = await victim.submit("/passkeys/add", "/passkeys/add", answer=said, name="x")
    assert "another browser" in problem(answer)
    assert await victim.passkeys() == []
    assert (await eve.submit("/passkeys/add", "/passkeys/add", answer=said, name="x")).status_code == 303
    answer = await eve.submit("/passkeys/add", "/passkeys/add", answer=said, name="x")
    assert "answered already" in problem(answer)


async def test_a_passkey_belongs_to_one_person(town: Town) -> None:
    max_, key = await town.with_passkey("max")
    asked = await max_.asked_to_add()
    assert [each["type"] for each in asked["excludeCredentials"]] == ["public-key"]
    assert (
        asked["authenticatorSelection"]["userVerification"] == asked["authenticatorSelection"]["residentKey"] == "required"
    )
    ivy = await town.newcomer("ivy")
    answer = await ivy.submit("/passkeys/add", "/passkeys/add", answer=key.create(await ivy.asked_to_add()), name="x")
    assert "known here already" in problem(answer)


async def test_nobody_collects_passkeys_without_end(town: Town) -> None:
    person = await town.newcomer("gus")
    await person.add(Authenticator(town.url))
    await town.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 19)"
        " INSERT INTO passkeys SELECT 'copy-' || i, p.user_id, CAST('copy-' || i AS BLOB), credential, party_id,"
        " sign_count, synced, transports, p.name, p.inserted_at, used_at FROM n, passkeys p"
        " JOIN users u ON u.id = p.user_id"
        " WHERE u.email = 'gus@example.org'"
    )
    said = Authenticator(town.url).create(await person.asked_to_add())
    answer = await person.submit("/passkeys/add", "/passkeys/add", answer=said, name="x")
    assert "You have 20 passkeys" in problem(answer)


async def test_who_is_not_signed_in_is_led_to_the_sign_in(town: Town) -> None:
    browser = town.visitor()
    assert (await browser.client.get("/passkeys/add")).headers["location"] == "/auth/login?next=%2Fpasskeys%2Fadd"
    assert (await browser.post("/passkeys/add/challenge")).headers["location"].startswith("/auth/login")


async def test_an_admin_key_has_no_passkeys(town: Town) -> None:
    browser = town.visitor()
    answer = await browser.submit("/auth/login", "/auth/api-key", api_key=town.hub.keys.admin_key)
    assert answer.status_code == 303
    for path in ("/passkeys/add", "/passkeys/00000000-0000-0000-0000-000000000000"):
        assert (await browser.client.get(path)).status_code == 403


async def test_a_person_who_is_deleted_leaves_no_passkey(town: Town) -> None:
    _, key = await town.with_passkey("del")
    await town.run("DELETE FROM users WHERE email = 'del@example.org'")
    assert "not known here" in problem(await town.visitor().sign_in_with(key))

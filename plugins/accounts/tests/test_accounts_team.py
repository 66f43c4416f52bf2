"""Several people in a tenant, several tenants of a person, and the ways to come in."""

from __future__ import annotations

from pathlib import Path

import pytest
from accounts_browser import PASSWORD, Browser, People, post_from, problem, running_people
from ringforge_accounts.people import Colleague, list_colleagues


async def test_an_invitation_leads_into_the_tenant_with_its_role(people: People) -> None:
    owner = await people.owner()
    bob = await people.newcomer("bob@example.org", await people.invitation(owner, role="viewer"))
    page = (await bob.open("/team")).text
    assert "olga@example.org" in page
    assert "Invite</h2>" not in page
    answer = await post_from(bob, "/team", "/team/invites", role="viewer")
    assert "needs the role admin" in problem(answer)


async def test_an_invitation_by_mail_is_for_that_person(people: People) -> None:
    owner = await people.owner()
    await owner.submit("/team/invites", page="/team", role="admin", email="bob@example.org", max_uses=1, days=7)
    mail = await people.mailbox.wait("bob@example.org")
    assert mail["Subject"] == "Olga invites you to Ringforge"
    page = await people.browser().open(await people.mailbox.link("bob@example.org"))
    assert "You are invited to <strong>default</strong>" in page.text


async def test_a_person_of_two_tenants_switches_between_them(people: People) -> None:
    owner = await people.owner()
    ada = await people.newcomer("ada@example.org")
    assert "olga@example.org" not in (await ada.open("/team")).text
    code = await people.invitation(owner)
    assert (await ada.submit("/account/join", page="/settings", code=code)).status_code == 303
    assert "olga@example.org" in (await ada.open("/team")).text
    assert (await ada.submit("/account/switch", page="/settings")).status_code == 303
    assert "olga@example.org" not in (await ada.open("/team")).text


async def test_who_is_taken_out_of_a_tenant_is_out_at_once(people: People) -> None:
    owner = await people.owner()
    bob = await people.newcomer("bob@example.org", await people.invitation(owner))
    bob_id = next(person.user_id for person in await members(people, owner) if person.email == "bob@example.org")
    await post_from(owner, "/team", "/team/remove", user_id=bob_id)
    assert not await bob.signed_in
    answer = await people.browser().submit("/auth/login", email="bob@example.org", password=PASSWORD)
    assert "belong to no tenant" in problem(answer)


async def test_a_new_role_counts_at_once(people: People) -> None:
    owner = await people.owner()
    bob = await people.newcomer("bob@example.org", await people.invitation(owner, role="admin"))
    assert "Invite</h2>" in (await bob.open("/team")).text
    bob_id = next(person.user_id for person in await members(people, owner) if person.email == "bob@example.org")
    await post_from(owner, "/team", "/team/role", user_id=bob_id, role="viewer")
    assert "Invite</h2>" not in (await bob.open("/team")).text


async def test_nobody_rises_above_their_own_role(people: People) -> None:
    owner = await people.owner()
    admin = await people.newcomer("bob@example.org", await people.invitation(owner, role="admin"))
    everybody = await members(people, owner)
    bob_id, olga_id = [
        next(person.user_id for person in everybody if person.email.startswith(name)) for name in ("bob", "olga")
    ]
    for path, fields in (
        ("/team/role", {"user_id": bob_id, "role": "owner"}),
        ("/team/role", {"user_id": olga_id, "role": "viewer"}),
        ("/team/remove", {"user_id": olga_id}),
        ("/team/invites", {"role": "owner"}),
        ("/team/invites", {"role": "own tenant"}),
    ):
        answer = await post_from(admin, "/team", path, **fields)
        assert (path, answer.status_code) == (path, 400)
    assert [(person.email, person.role) for person in await members(people, owner)] == [
        ("olga@example.org", "owner"), ("bob@example.org", "admin"),
    ]  # fmt: skip


async def test_a_tenant_keeps_an_owner(people: People) -> None:
    owner = await people.owner()
    (olga,) = await members(people, owner)
    for path, fields in (("/team/role", {"role": "admin"}), ("/team/remove", {})):
        answer = await post_from(owner, "/team", path, user_id=olga.user_id, **fields)
        assert "keeps an owner" in problem(answer)


async def test_on_a_hub_for_the_invited_nobody_else_registers(tmp_path: Path) -> None:
    async with running_people(tmp_path) as people:
        eve = people.browser()
        answer = await eve.submit("/auth/register", name="Eve", email="eve@example.org", password=PASSWORD)
        assert "need an invitation" in problem(answer)
        own = await people.invitation(await people.owner(), role="own tenant")
        bob = await people.newcomer("bob@example.org", own)
        page = (await bob.open("/team")).text
        assert "olga@example.org" not in page
        assert "owner" in page


async def test_d36_a_form_that_is_not_right_uses_up_no_invitation(tmp_path: Path) -> None:
    async with running_people(tmp_path) as people:
        code = await people.invitation(await people.owner())
        eve = people.browser()
        for wrong in ({"email": "no address"}, {"password": "short"}, {"email": "olga@example.org"}):
            fields = {"name": "Eve", "email": "eve@example.org", "password": PASSWORD, **wrong}
            await eve.submit("/auth/register", **fields, invite=code)
        assert await (await people.newcomer("eve@example.org", code)).signed_in


async def test_on_a_closed_hub_nobody_registers(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="closed") as people:
        code = await people.invitation(await people.owner())
        eve = people.browser()
        page = await eve.open("/auth/register")
        assert "Nobody can register here" in page.text
        answer = await post_from(eve, "/auth/login", "/auth/register", email="eve@example.org", invite=code)
        assert "Nobody can register here" in problem(answer)


async def test_who_waits_is_approved_and_then_registers(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="waitlist") as people:
        eve = people.browser()
        for _ in range(2):  # asking twice is asking once
            answer = await eve.submit("/auth/waitlist", name="Eve", email="eve@example.org")
            assert "on the list" in answer.text
        owner = await people.owner()
        assert (await owner.open("/team")).text.count("eve@example.org</strong>") == 1
        await owner.submit("/team/waitlist/approve", page="/team")
        path = await people.mailbox.link("eve@example.org")
        answer = await eve.submit("/auth/place", page=path, name="Eve", password=PASSWORD)
        assert answer.status_code == 303
        assert "eve@example.org" in (await eve.open("/account")).text
        again = await people.browser().submit("/auth/place", page=path, name="Eve", password=PASSWORD)
        assert "used already" in problem(again)


async def test_the_waitlist_is_for_those_who_run_the_hub(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="waitlist") as people:
        await people.browser().submit("/auth/waitlist", name="Eve", email="eve@example.org")
        own = await people.invitation(await people.owner(), role="own tenant")
        bob = await people.newcomer("bob@example.org", own)
        assert "eve@example.org" not in (await bob.open("/team")).text


@pytest.mark.parametrize(
    ("fields", "said"), [({"max_uses": 0}, "uses"), ({"days": 1000}, "days"), ({"email": "x"}, "no e-mail")]
)
async def test_an_invitation_has_bounds(people: People, fields: dict[str, object], said: str) -> None:
    answer = await (await people.owner()).submit("/team/invites", page="/team", **{"max_uses": 1, "days": 7, **fields})
    assert said in problem(answer)


async def members(people: People, browser: Browser) -> list[Colleague]:
    """Everybody of the browser's tenant."""
    person = await people.accounts.sessions.find(browser.session or "")
    assert person is not None
    return await list_colleagues(people.hub.hub.store, person.tenant_id)

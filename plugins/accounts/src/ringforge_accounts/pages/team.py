"""Who belongs to the tenant, who is invited, and for those who run the hub: who waits for a place."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import msgspec
from litestar import Controller, get, post

from ringforge_accounts import letters
from ringforge_accounts.audit import deed
from ringforge_accounts.invites import create_invite, list_invites, revoke_invite, runs_the_hub
from ringforge_accounts.letter_box import Letter
from ringforge_accounts.pages.desk import AtDesk, Desk, Page
from ringforge_accounts.pages.places import TEAM
from ringforge_accounts.people import list_colleagues
from ringforge_accounts.registration import check_email, link
from ringforge_accounts.team import change_role, remove_member
from ringforge_accounts.waiting import approve, list_waiting
from ringforge_core.errors import Forbidden, Refused
from ringforge_core.plugin.web import ROLES, Person, Role, SignedIn

OWN_TENANT = "own tenant"


class InviteForm(msgspec.Struct):
    role: str = "member"
    email: str = ""
    max_uses: int = 1
    days: int = 7


class IdForm(msgspec.Struct):
    id: str = ""


class RoleForm(msgspec.Struct):
    user_id: str = ""
    role: str = ""


class TeamPages(Controller):
    path = "/"

    @get("/")
    async def show(self, desk: AtDesk, person: Person) -> Page:
        return await _team_page(desk, person)

    @post("/invites")
    async def invite(self, desk: AtDesk, person: Person) -> Page:
        try:
            _only(person, "admin")
            form = await desk.form(InviteForm)
            code = await _make_invite(desk, person, form)
        except Refused as error:
            return await _team_page(desk, person, error)
        return await _team_page(desk, person, made=invite_link(desk, code), sent_to=form.email.strip())

    @post("/invites/revoke")
    async def revoke(self, desk: AtDesk, person: Person) -> Page:
        _only(person, "admin")
        form = await desk.form(IdForm)
        await revoke_invite(desk.accounts.store, person, form.id, address=desk.address)
        return desk.go("/team")

    @post("/role")
    async def role(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(RoleForm)
        try:
            await change_role(desk.accounts.store, person, form.user_id, form.role, address=desk.address)
        except Refused as error:
            return await _team_page(desk, person, error)
        return desk.go("/team")

    @post("/remove")
    async def remove(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(RoleForm)
        try:
            await remove_member(desk.accounts.store, person, form.user_id, address=desk.address)
        except Refused as error:
            return await _team_page(desk, person, error)
        return desk.go("/team")

    @post("/waitlist/approve")
    async def approve(self, desk: AtDesk, person: Person) -> Page:
        """Of the whole hub, so only for those who run it."""
        if not await runs_the_hub(desk.accounts.store, person):
            raise Forbidden("Only owners of the hub's own tenant decide about the waitlist.")
        form = await desk.form(IdForm)
        accounts, target = desk.accounts, ("waiting", form.id)

        def letter(email: str, token: str) -> Letter:
            return accounts.mailer.seal(letters.approved(email, link(desk.base_url, "/auth/place", token)))

        entry = deed(person.user_id, "waitlist.approved", person.tenant_id, target=target, address=desk.address)
        await approve(accounts.store, form.id, entry=entry, letter=letter)
        accounts.mailer.wake()
        return desk.go("/team")


def invite_link(desk: Desk, code: str) -> str:
    return f"{desk.base_url}/auth/register?{urlencode({'invite': code})}"


async def _make_invite(desk: Desk, person: SignedIn, form: InviteForm) -> str:
    accounts, to = desk.accounts, form.email.strip()
    if to:
        check_email(to)

    def letter(code: str) -> Letter:
        place = person.current.tenant_name if form.role != OWN_TENANT else "a tenant of your own"
        inviter = person.name or person.email
        return accounts.mailer.seal(letters.invitation(to, inviter=inviter, place=place, link=invite_link(desk, code)))

    code = await create_invite(
        accounts.store, person, role=None if form.role == OWN_TENANT else _role(form.role), email=to or None,
        max_uses=form.max_uses, valid_for=timedelta(days=form.days), address=desk.address,
        letter=letter if to and await accounts.registration.may_send(to) else None,
    )  # fmt: skip
    accounts.mailer.wake()
    return code


async def _team_page(
    desk: Desk, person: SignedIn, error: Refused | None = None, *, made: str | None = None, sent_to: str = ""
) -> Page:
    store = desk.accounts.store
    operator = await runs_the_hub(store, person)
    waiting = await list_waiting(store) if operator else []
    roles = [role for role in ROLES if person.may(role)]
    own_tenant = [(OWN_TENANT, "owner of a tenant of their own")] if operator else []
    return await desk.show(
        TEAM, error=error, colleagues=await list_colleagues(store, person.tenant_id),
        invites=await list_invites(store, person.tenant_id) if person.may("admin") else [], made=made, sent_to=sent_to,
        roles=roles, role_options=[*((role, role) for role in roles), *own_tenant], waiting=waiting,
        shows_waitlist=operator and (waiting or desk.accounts.settings.registration == "waitlist"),
    )  # fmt: skip


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text:
            return role
    raise Forbidden("There is no such role.", field="role")


def _only(person: SignedIn, role: Role) -> None:
    if not person.may(role):
        raise Forbidden(f"This needs the role {role}; yours is {person.role}.")

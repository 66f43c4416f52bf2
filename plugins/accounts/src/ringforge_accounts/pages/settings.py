"""What a person may set: their name, their e-mail, the name of the tenant; and the end of the account."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post

from ringforge_accounts import letters
from ringforge_accounts.account_deletion import delete_account
from ringforge_accounts.pages.desk import AtDesk, Desk, Page
from ringforge_accounts.pages.places import SETTINGS
from ringforge_accounts.people import find_by_id
from ringforge_accounts.profile import change_name
from ringforge_accounts.tokens import email_key
from ringforge_core.errors import Forbidden, InvalidPayload, Refused, Unauthenticated
from ringforge_core.plugin.administration import Operator
from ringforge_core.plugin.web import SIGN_IN_AGAIN, Person, SignedIn, check_fresh

PATH = SETTINGS.page.path
SAID = {
    "name": "Your name is saved.",
    "asked": "A mail is on its way to the new address. It counts once you opened its link.",
    "email": "Your e-mail was changed. The old address was told.",
    "tenant": "The tenant has its new name.",
}
"""What is said of a deed on the page that follows it; the address holds only the name."""


class NameForm(msgspec.Struct):
    name: str = ""


class EmailForm(msgspec.Struct):
    email: str = ""
    password: str = ""


class TokenForm(msgspec.Struct):
    token: str = ""


class TenantNameForm(msgspec.Struct):
    tenant_name: str = ""


class DeleteForm(msgspec.Struct):
    confirm: str = ""
    password: str = ""


class SettingsPages(Controller):
    path = "/"

    @get("/")
    async def show(self, desk: AtDesk, person: Person) -> Page:
        return await settings_page(desk, person)

    @post("/name")
    async def rename(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(NameForm)
        try:
            await change_name(desk.accounts.store, person, form.name, address=desk.address)
        except Refused as error:
            return await settings_page(desk, person, error)
        return _saved(desk, "name")

    @post("/email")
    async def ask_email(self, desk: AtDesk, person: Person) -> Page:
        """The same answer whether or not the address has an account: only its owner is told."""
        form = await desk.form(EmailForm)
        try:
            await _prove(desk, person, form.password)
            await desk.accounts.email_change.ask(person, form.email, base_url=desk.base_url)
        except Refused as error:
            return await settings_page(desk, person, error, email=form.email)
        return _saved(desk, "asked")

    @get("/email")
    async def show_email(self, desk: AtDesk, person: Person) -> Page:
        return await _email_page(desk, desk.query("token"))

    @post("/email/confirm")
    async def confirm_email(self, desk: AtDesk, person: Person) -> Page:
        form, accounts = await desk.form(TokenForm), desk.accounts
        try:
            await accounts.email_change.confirm(person, form.token, base_url=desk.base_url, address=desk.address)
        except Refused as error:
            return await _email_page(desk, form.token, error)
        cookie = await accounts.sessions.rotate(person, address=desk.address)
        return desk.with_session(_saved(desk, "email"), cookie)

    @post("/tenant")
    async def rename_tenant(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(TenantNameForm)
        operator = Operator(
            tenant_id=person.tenant_id, user_id=person.user_id, name=person.name or person.email, address=desk.address
        )
        try:
            if not person.may("owner"):
                raise Forbidden(f"This needs the role owner; yours is {person.role}.")
            await desk.accounts.hub.administration.rename_tenant(operator, form.tenant_name)
        except Refused as error:
            return await settings_page(desk, person, error)
        return _saved(desk, "tenant")

    @post("/delete")
    async def delete(self, desk: AtDesk, person: Person) -> Page:
        form, accounts = await desk.form(DeleteForm), desk.accounts
        try:
            if email_key(form.confirm) != email_key(person.email):
                raise InvalidPayload("This is not your e-mail.", field="confirm", fix="Type it to say that you mean it.")
            await _prove(desk, person, form.password)
            letter = accounts.mailer.seal(letters.account_deleted(person.email))
            await delete_account(accounts.store, person, letter=letter, address=desk.address)
        except Refused as error:
            return await settings_page(desk, person, error)
        accounts.mailer.wake()
        return desk.without_session(desk.go("/auth/login"))


async def settings_page(desk: Desk, person: SignedIn, error: Refused | None = None, *, email: str | None = None) -> Page:
    if error is not None and error.reason == SIGN_IN_AGAIN:
        raise error
    user = await find_by_id(desk.accounts.store, person.user_id)
    return await desk.show(
        SETTINGS, error=error, said=None if error else SAID.get(desk.query("said")), email=email or person.email,
        has_password=user is not None and user.password_hash is not None,
    )  # fmt: skip


async def _email_page(desk: Desk, token: str, error: Refused | None = None) -> Page:
    return await desk.show(SETTINGS, template="confirm_email.html", title="Your new e-mail", error=error, token=token)


async def _prove(desk: Desk, person: SignedIn, password: str) -> None:
    """Who finds an open browser does not get this far: the password, or without one a sign-in of just now."""
    accounts = desk.accounts
    user = await find_by_id(accounts.store, person.user_id)
    if user is None or user.password_hash is None:
        return check_fresh(person)
    await accounts.sign_in.count_code(person.user_id, desk.address)
    if not await accounts.passwords.matches(password, user.password_hash):
        raise Unauthenticated("This is not your password.", reason="wrong_credentials", field="password", fix="")
    return None


def _saved(desk: Desk, what: str) -> Page:
    return desk.go(f"{PATH}?said={what}")

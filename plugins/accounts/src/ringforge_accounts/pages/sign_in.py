"""Sign in and out, the second factor, and a forgotten password."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post

from ringforge_accounts import letters, one_time
from ringforge_accounts.credentials import set_password
from ringforge_accounts.pages.desk import TICKET_COOKIE, AtDesk, Page
from ringforge_accounts.pages.entrance import sign_in_page
from ringforge_accounts.people import find_by_id
from ringforge_accounts.sign_in import Entered
from ringforge_accounts.tokens import digest
from ringforge_core.errors import Refused
from ringforge_core.plugin.web import return_path


class SignInForm(msgspec.Struct):
    email: str = ""
    password: str = ""
    next: str = ""


class CodeForm(msgspec.Struct):
    code: str = ""
    next: str = ""


class ForgotForm(msgspec.Struct):
    email: str = ""


class UndoForm(msgspec.Struct):
    token: str = ""


class KeyForm(msgspec.Struct):
    api_key: str = ""
    next: str = ""


class ResetForm(msgspec.Struct):
    token: str = ""
    password: str = ""


class SignInPages(Controller):
    path = "/"

    @get("/login")
    async def show(self, desk: AtDesk) -> Page:
        person = await desk.accounts.sessions.find(desk.cookie) if desk.cookie else None
        again = person is not None and desk.query("again") == "1"
        if person is not None and not again:
            return desk.go(desk.next_path())
        return await sign_in_page(desk, email=person.email if person else "", next_path=desk.query("next"), again=again)

    @post("/login")
    async def sign_in(self, desk: AtDesk) -> Page:
        form = await desk.form(SignInForm)
        try:
            entered = await desk.accounts.sign_in.with_password(
                form.email, form.password, visitor=desk.visitor, cookie=desk.cookie
            )
        except Refused as error:
            return await sign_in_page(desk, error, email=form.email, next_path=form.next)
        return desk.enter(entered, desk.next_path(form.next))

    @post("/api-key")
    async def with_key(self, desk: AtDesk) -> Page:
        """An admin key signs in to its tenant, as nobody in particular."""
        form, accounts = await desk.form(KeyForm), desk.accounts
        try:
            await accounts.sign_in.count_key(desk.address)
            key = await accounts.hub.administration.admin_key(form.api_key.strip())
        except Refused as error:
            return await sign_in_page(desk, error, next_path=form.next)
        cookie = await accounts.key_sessions.open(key, visitor=desk.visitor, cookie=desk.cookie)
        landing = accounts.key_landing
        return desk.enter(Entered(cookie), return_path(form.next, default=landing))

    @get("/second-factor")
    async def ask_code(self, desk: AtDesk) -> Page:
        if not desk.request.cookies.get(TICKET_COOKIE):
            return desk.go("/auth/login")
        return desk.page("second_factor.html", next=desk.query("next"))

    @post("/second-factor")
    async def take_code(self, desk: AtDesk) -> Page:
        form = await desk.form(CodeForm)
        ticket = desk.request.cookies.get(TICKET_COOKIE, "")
        try:
            cookie = await desk.accounts.sign_in.with_code(ticket, form.code, visitor=desk.visitor, cookie=desk.cookie)
        except Refused as error:
            return desk.refused("second_factor.html", error, next=form.next)
        return desk.enter(Entered(cookie), desk.next_path(form.next))

    @get("/email-undo")
    async def ask_undo(self, desk: AtDesk) -> Page:
        return desk.page("email_undo.html", token=desk.query("token"))

    @post("/email-undo")
    async def undo_email(self, desk: AtDesk) -> Page:
        form = await desk.form(UndoForm)
        try:
            email = await desk.accounts.email_change.undo(form.token, base_url=desk.base_url, address=desk.address)
        except Refused as error:
            return desk.refused("email_undo.html", error, token=form.token)
        text = f"{email} is the address of your account again. A mail with a link for a new password is on its way there."
        return desk.page("done.html", title="You have it back", text=text, target="/auth/login")

    @get("/forgot")
    async def forgot(self, desk: AtDesk) -> Page:
        return desk.page("forgot.html", email="")

    @post("/forgot")
    async def send_reset(self, desk: AtDesk) -> Page:
        """The same answer whether or not there is an account."""
        form = await desk.form(ForgotForm)
        try:
            await desk.accounts.sign_in.count_mail(desk.address)
        except Refused as error:
            return desk.refused("forgot.html", error, email=form.email)
        await desk.accounts.registration.deliver_reset(form.email, desk.base_url)
        return desk.page("sent.html", title="Check your mail", email=form.email)

    @get("/reset")
    async def ask_password(self, desk: AtDesk) -> Page:
        return desk.page("reset.html", token=desk.query("token"))

    @post("/reset")
    async def reset(self, desk: AtDesk) -> Page:
        form = await desk.form(ResetForm)
        accounts = desk.accounts
        try:
            ticket = await one_time.look_up(accounts.store, "reset_password", form.token)
            user = await find_by_id(accounts.store, ticket.user_id or "")
            if user is None or user.tenant_id is None:
                raise one_time.used_up()
            await accounts.passwords.check_strength(form.password, user.email, user.name or "")
            hashed = await accounts.passwords.hash(form.password)
            await set_password(
                accounts.store, user.id, hashed, tenant_id=user.tenant_id, address=desk.address, link=digest(form.token),
                letter=accounts.mailer.seal(letters.password_changed(user.email, f"{desk.base_url}/auth/forgot")),
            )  # fmt: skip
        except Refused as error:
            return desk.refused("reset.html", error, token=form.token)
        accounts.mailer.wake()
        return desk.page("done.html", title="Password set", text="Sign in with your new password.", target="/auth/login")

"""Register, confirm the e-mail, wait for a place, and the hub's first owner. Opening a link changes nothing."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post

from ringforge_accounts.invites import look_at
from ringforge_accounts.pages.desk import AtDesk, Desk, Page
from ringforge_accounts.registration import check_email
from ringforge_accounts.sign_in import Entered
from ringforge_accounts.waiting import join_waitlist
from ringforge_core.errors import Refused


class RegisterForm(msgspec.Struct):
    name: str = ""
    email: str = ""
    password: str = ""
    invite: str = ""


class WaitForm(msgspec.Struct):
    name: str = ""
    email: str = ""


class VerifyForm(msgspec.Struct):
    token: str = ""
    password: str = ""


class PlaceForm(msgspec.Struct):
    token: str = ""
    name: str = ""
    email: str = ""
    password: str = ""


class ArrivalPages(Controller):
    path = "/"

    @get("/register")
    async def show(self, desk: AtDesk) -> Page:
        return await _register_page(desk, RegisterForm(invite=desk.query("invite")))

    @post("/register")
    async def register(self, desk: AtDesk) -> Page:
        """The same answer whether or not the e-mail has an account: only its owner is told which."""
        form = await desk.form(RegisterForm)
        try:
            pending = await desk.accounts.registration.check(
                name=form.name, email=form.email, password=form.password, invite=form.invite.strip(), address=desk.address
            )
        except Refused as error:
            return await _register_page(desk, form, error)
        await desk.accounts.registration.deliver(pending, desk.base_url)
        return desk.page("sent.html", title="Check your mail", email=form.email)

    @get("/waitlist")
    async def show_waitlist(self, desk: AtDesk) -> Page:
        return desk.page("waitlist.html", form_values=WaitForm())

    @post("/waitlist")
    async def wait(self, desk: AtDesk) -> Page:
        form = await desk.form(WaitForm)
        try:
            await desk.accounts.sign_in.count_mail(desk.address)
            desk.accounts.check_waitlist()
            check_email(form.email)
        except Refused as error:
            return desk.refused("waitlist.html", error, form_values=form)
        await join_waitlist(desk.accounts.store, form.email.strip(), form.name.strip()[:200] or None)
        text = "We write to you as soon as there is a place."
        return desk.page("done.html", title="You are on the list", text=text, target="/auth/login")

    @get("/verify")
    async def ask_to_confirm(self, desk: AtDesk) -> Page:
        return desk.page("verify.html", token=desk.query("token"))

    @post("/verify")
    async def confirm(self, desk: AtDesk) -> Page:
        form = await desk.form(VerifyForm)
        try:
            cookie = await desk.accounts.registration.finish(
                form.token, form.password, visitor=desk.visitor, cookie=desk.cookie
            )
        except Refused as error:
            return desk.refused("verify.html", error, token=form.token)
        return desk.enter(Entered(cookie), desk.next_path())

    @get("/place")
    async def ask_for_place(self, desk: AtDesk) -> Page:
        return desk.page("place.html", form_values=PlaceForm(token=desk.query("token")), asks_email=False)

    @post("/place")
    async def take_place(self, desk: AtDesk) -> Page:
        form = await desk.form(PlaceForm)
        try:
            cookie = await desk.accounts.registration.with_place(
                form.token, name=form.name, password=form.password, visitor=desk.visitor, cookie=desk.cookie
            )
        except Refused as error:
            return desk.refused("place.html", error, form_values=form, asks_email=False)
        return desk.enter(Entered(cookie), desk.next_path())

    @get("/owner")
    async def ask_owner(self, desk: AtDesk) -> Page:
        return desk.page("place.html", form_values=PlaceForm(token=desk.query("token")), asks_email=True)

    @post("/owner")
    async def first_owner(self, desk: AtDesk) -> Page:
        form = await desk.form(PlaceForm)
        try:
            cookie = await desk.accounts.registration.first_owner(
                form.token, name=form.name, email=form.email, password=form.password, visitor=desk.visitor,
                cookie=desk.cookie,
            )  # fmt: skip
        except Refused as error:
            return desk.refused("place.html", error, form_values=form, asks_email=True)
        return desk.enter(Entered(cookie), desk.next_path())


async def _register_page(desk: Desk, form: RegisterForm, error: Refused | None = None) -> Page:
    mode = desk.accounts.settings.registration
    found = await look_at(desk.accounts.store, form.invite) if form.invite and error is None else None
    place = found[1] if found is not None and found[0].role is not None else None
    if error is not None:
        return desk.refused("register.html", error, form_values=form, mode=mode, place=place)
    return desk.page("register.html", form_values=form, mode=mode, place=place)

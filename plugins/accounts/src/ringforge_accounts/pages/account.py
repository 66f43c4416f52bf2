"""By what a person signs in, and where they are: password, second factor, connected identities, sessions, tenants."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath
from markupsafe import Markup

from ringforge_accounts import letters
from ringforge_accounts.credentials import set_password
from ringforge_accounts.pages.desk import AtDesk, Desk, Page
from ringforge_accounts.pages.entrance import security_parts
from ringforge_accounts.pages.places import SECURITY
from ringforge_accounts.pages.providers import as_refusal, callback_url
from ringforge_accounts.pages.rendering import html_of, scripts_of
from ringforge_accounts.pages.settings import settings_page
from ringforge_accounts.people import find_by_id, list_identities
from ringforge_accounts.second_factor import Enrolment
from ringforge_accounts.team import accept_invite
from ringforge_core.errors import Conflict, InvalidPayload, Refused, RingforgeError, Unauthenticated
from ringforge_core.plugin.web import Person, SignedIn


class PasswordForm(msgspec.Struct):
    old: str = ""
    password: str = ""


class CodeForm(msgspec.Struct):
    code: str = ""


class SessionForm(msgspec.Struct):
    session_id: str = ""


class TenantForm(msgspec.Struct):
    tenant_id: str = ""
    next: str = ""


class IdentityForm(msgspec.Struct):
    provider: str = ""


class AccountPages(Controller):
    path = "/"

    @get("/")
    async def show(self, desk: AtDesk, person: Person) -> Page:
        return await _security_page(desk, person)

    @post("/password")
    async def change_password(self, desk: AtDesk, person: Person) -> Page:
        """The old one is asked for, unless there is none yet."""
        form, accounts = await desk.form(PasswordForm), desk.accounts
        try:
            await accounts.sign_in.count_code(person.user_id, desk.address)
            user = await find_by_id(accounts.store, person.user_id)
            stored = user.password_hash if user is not None else None
            if stored is not None and not await accounts.passwords.matches(form.old, stored):
                raise Unauthenticated("This is not your password.", reason="wrong_credentials", field="old", fix="")
            await accounts.passwords.check_strength(form.password, person.email, person.name or "")
            hashed = await accounts.passwords.hash(form.password)
            await set_password(
                accounts.store, person.user_id, hashed, tenant_id=person.tenant_id, address=desk.address,
                spare=person.session_id,
                letter=accounts.mailer.seal(letters.password_changed(person.email, f"{desk.base_url}/auth/forgot")),
            )  # fmt: skip
        except Refused as error:
            return await _security_page(desk, person, error)
        accounts.mailer.wake()
        return await _rotated(desk, person, "/account")

    @get("/second-factor")
    async def enrol(self, desk: AtDesk, person: Person) -> Page:
        """Shows only the button: the secret is made with a POST."""
        return await _enrol_page(desk)

    @post("/second-factor/begin")
    async def begin_enrolment(self, desk: AtDesk, person: Person) -> Page:
        enrolment = await desk.accounts.second_factor.enrol(person)
        return await _enrol_page(desk, enrolment)

    @post("/second-factor")
    async def enable(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(CodeForm)
        try:
            await desk.accounts.sign_in.count_code(person.user_id, desk.address)
            codes = await desk.accounts.second_factor.enable(person, form.code, address=desk.address)
        except Refused as error:
            return await _enrol_page(desk, error=error)
        cookie = await desk.accounts.sessions.rotate(person, address=desk.address)
        return await desk.show(
            SECURITY, template="recovery_codes.html", title="Recovery codes", new_cookie=cookie, codes=codes
        )

    @post("/second-factor/off")
    async def disable(self, desk: AtDesk, person: Person) -> Page:
        """Takes a code: who finds an open browser cannot turn it off."""
        form, accounts = await desk.form(CodeForm), desk.accounts
        try:
            await accounts.sign_in.count_code(person.user_id, desk.address)
            await accounts.second_factor.check(person.user_id, form.code)
            await accounts.second_factor.disable(person, address=desk.address)
        except Refused as error:
            return await _security_page(desk, person, error)
        return await _rotated(desk, person, "/account")

    @post("/sessions/end")
    async def end_session(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(SessionForm)
        await desk.accounts.sessions.end(person, form.session_id, address=desk.address)
        return desk.go("/account")

    @post("/sessions/end-all")
    async def end_everywhere(self, desk: AtDesk, person: Person) -> Page:
        await desk.accounts.sessions.end(person, None, address=desk.address)
        return desk.without_session(desk.go("/auth/login"))

    @post("/switch")
    async def switch(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(TenantForm)
        return await _rotated(desk, person, desk.next_path(form.next), tenant_id=form.tenant_id)

    @post("/join")
    async def join(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(CodeForm)
        try:
            await desk.accounts.sign_in.count_invite(desk.address)
            tenant_id = await accept_invite(desk.accounts.store, person, form.code, address=desk.address)
        except Refused as error:
            return await settings_page(desk, person, error)
        return await _rotated(desk, person, desk.accounts.landing, tenant_id=tenant_id)

    @post("/connect/{adapter:str}")
    async def connect(self, desk: AtDesk, person: Person, adapter: FromPath[str]) -> Page:
        chosen = desk.accounts.providers.adapter(adapter)
        if chosen.by_mail:
            raise InvalidPayload("There is nothing to connect: it goes to your e-mail.")
        try:
            begun = await desk.accounts.providers.begin(
                adapter, callback_url=callback_url(desk, adapter), visit=desk.visit, next_path="/account",
                email=person.email if chosen.asks_email else None, person=person,
            )  # fmt: skip
        except RingforgeError as error:
            return await _security_page(desk, person, as_refusal(error))
        page = desk.page("go.html", title=f"On to {chosen.label}", target=begun.redirect_url)
        return desk.with_visit(page)

    @post("/disconnect")
    async def disconnect(self, desk: AtDesk, person: Person) -> Page:
        form = await desk.form(IdentityForm)
        try:
            await desk.accounts.providers.unlink(person, form.provider, address=desk.address)
        except Conflict as error:
            return await _security_page(desk, person, error)
        return desk.go("/account")


class SignOutPages(Controller):
    path = "/logout"

    @post("/")
    async def sign_out(self, desk: AtDesk, person: Person) -> Page:
        if person.key_id is not None:
            await desk.accounts.key_sessions.end(person, address=desk.address)
        else:
            await desk.accounts.sessions.end(person, person.session_id, address=desk.address)
        return desk.without_session(desk.go("/auth/login"))


async def _rotated(desk: Desk, person: SignedIn, path: str, *, tenant_id: str | None = None) -> Page:
    cookie = await desk.accounts.sessions.rotate(person, address=desk.address, tenant_id=tenant_id)
    return desk.with_session(desk.go(path), cookie)


async def _enrol_page(desk: Desk, enrolment: Enrolment | None = None, *, error: Refused | None = None) -> Page:
    qr = Markup(enrolment.qr_svg) if enrolment is not None else None  # noqa: S704 — segno's own SVG
    return await desk.show(SECURITY, template="enrol.html", title="Second factor", error=error, enrolment=enrolment, qr=qr)


async def _security_page(desk: Desk, person: SignedIn, error: Refused | None = None) -> Page:
    accounts = desk.accounts
    user = await find_by_id(accounts.store, person.user_id)
    parts = await security_parts(desk, person)
    return await desk.show(
        SECURITY, error=error, parts=html_of(parts), scripts=scripts_of(parts),
        sessions=await accounts.sessions.of(person), identities=await list_identities(accounts.store, person.user_id),
        has_totp=user is not None and user.has_totp, has_password=user is not None and user.password_hash is not None,
        recovery_left=await accounts.second_factor.recovery_codes_left(person.user_id),
        adapters={name: adapter for name, adapter in accounts.providers.adapters.items() if not adapter.by_mail},
    )  # fmt: skip

"""What a person may set: their name, the name of the tenant."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post

from ringforge_accounts.pages.desk import AtDesk, Desk, Page
from ringforge_accounts.pages.places import SETTINGS
from ringforge_accounts.profile import change_name
from ringforge_core.errors import Forbidden, Refused
from ringforge_core.plugin.administration import Operator
from ringforge_core.plugin.web import Person, SignedIn

PATH = SETTINGS.page.path
SAID = {"name": "Your name is saved.", "tenant": "The tenant has its new name."}
"""What is said of a deed on the page that follows it; the address holds only the name."""


class NameForm(msgspec.Struct):
    name: str = ""


class TenantNameForm(msgspec.Struct):
    tenant_name: str = ""


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
        return desk.go(f"{PATH}?said=name")

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
        return desk.go(f"{PATH}?said=tenant")


async def settings_page(desk: Desk, person: SignedIn, error: Refused | None = None) -> Page:
    return await desk.show(SETTINGS, error=error, said=None if error else SAID.get(desk.query("said")))

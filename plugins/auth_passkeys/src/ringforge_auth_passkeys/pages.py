"""Routes: sign in with a passkey; add one, rename it, remove it.

The script fetches a challenge, lets the browser answer it, and sends the answer with the form that stands in the page: so
what is wrong is told on a page, as with any form.

Ceremonies and proofs are imported when a passkey is used: fido2, and cryptography with it, take a tenth of a hub's start.
"""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from ringforge_auth_passkeys import challenges, passkeys
from ringforge_auth_passkeys.desk import AtDesk, Desk
from ringforge_auth_passkeys.rendering import SCRIPT, part, script
from ringforge_core.errors import Refused
from ringforge_core.plugin.web import Person, SignedIn, check_fresh, count_ways_in

Page = Response[Any]


@get("/{name:str}", sync_to_thread=False)
def script_file(name: FromPath[str]) -> Response[bytes]:
    if name != SCRIPT:
        raise NotFoundException("There is no such file.")
    headers = {"cache-control": "public, max-age=31536000, immutable"}  # its address changes when it does
    return Response(script(), media_type="text/javascript", headers=headers)


class SignInRoutes(Controller):
    path = "/"

    @post("/challenge", status_code=200)
    async def challenge(self, desk: AtDesk) -> dict[str, Any]:
        from ringforge_auth_passkeys.ceremonies import ask_to_sign_in

        await desk.entrance.count_challenge(desk.request)
        return ask_to_sign_in(desk.party, await challenges.issue(desk.store, "sign_in", desk.visit))

    @post("/")
    async def enter(self, desk: AtDesk) -> Page:
        from ringforge_auth_passkeys.proofs import sign_in

        form = await desk.form()
        try:
            user_id = await sign_in(desk, form.answer)
            return await desk.entrance.enter(desk.request, user_id, method="passkey", next_path=form.next)
        except Refused as error:
            return await desk.entrance.sign_in_page(desk.request, error, next_path=form.next)


class AddPages(Controller):
    path = "/add"

    @get("/")
    async def show(self, desk: AtDesk, person: Person) -> Page:
        check_fresh(person)
        return await _add_page(desk, person)

    @post("/challenge", status_code=200)
    async def challenge(self, desk: AtDesk, person: Person) -> dict[str, Any]:
        from ringforge_auth_passkeys.ceremonies import Known, ask_to_add

        check_fresh(person)
        await desk.entrance.count_challenge(desk.request)
        own = await passkeys.list_passkeys(desk.store, person.user_id)
        challenge = await challenges.issue(desk.store, "add", person.session_id)
        return ask_to_add(desk.party, challenge, person, [Known(each.credential_id, each.transports) for each in own])

    @post("/")
    async def add(self, desk: AtDesk, person: Person) -> Page:
        from ringforge_auth_passkeys.proofs import add_passkey

        check_fresh(person)
        form = await desk.form()
        try:
            await add_passkey(desk, person, form)
        except Refused as error:
            return await _add_page(desk, person, error, name=form.name)
        desk.entrance.send_letters()
        return Redirect(desk.entrance.security_path, status_code=303)


class OwnPages(Controller):
    """`passkey_id` is the row's, not the credential's."""

    path = "/{passkey_id:str}"

    @get("/")
    async def show(self, desk: AtDesk, person: Person, passkey_id: FromPath[str]) -> Page:
        return await _own_page(desk, person, passkey_id)

    @post("/rename")
    async def rename(self, desk: AtDesk, person: Person, passkey_id: FromPath[str]) -> Page:
        form = await desk.form()
        await passkeys.rename(desk.store, desk.actor(person), passkey_id, form.name)
        return Redirect(desk.entrance.security_path, status_code=303)

    @get("/remove")
    async def ask_to_remove(self, desk: AtDesk, person: Person, passkey_id: FromPath[str]) -> Page:
        """Asks for a sign-in first, so that the form that follows need not."""
        check_fresh(person)
        return await _own_page(desk, person, passkey_id, removing=True)

    @post("/remove")
    async def remove(self, desk: AtDesk, person: Person, passkey_id: FromPath[str]) -> Page:
        check_fresh(person)
        hub = desk.hub
        try:
            await passkeys.remove(
                desk.store, desk.actor(person), passkey_id, lambda tx, user_id: count_ways_in(hub, tx, user_id)
            )
        except Refused as error:
            return await _own_page(desk, person, passkey_id, error, removing=True)
        return Redirect(desk.entrance.security_path, status_code=303)


async def _add_page(desk: Desk, person: SignedIn, error: Refused | None = None, *, name: str = "") -> Page:
    unavailable = None
    try:
        _ = desk.party
    except Refused as refusal:
        unavailable = refusal
    back = desk.entrance.security_path
    shown = part("add.html", scripted=True, csrf=person.csrf_token, name=name, back=back, unavailable=unavailable)
    return await desk.entrance.page(desk.request, shown, title="Add a passkey", error=error)


async def _own_page(
    desk: Desk, person: SignedIn, passkey_id: str, error: Refused | None = None, *, removing: bool = False
) -> Page:
    """Raises `NotFound` for a passkey that is not theirs."""
    own = await passkeys.find_passkey(desk.store, person.user_id, passkey_id)
    template, title = ("remove.html", f"Remove {own.name}?") if removing else ("rename.html", f"Rename {own.name}")
    shown = part(template, csrf=person.csrf_token, passkey=own, back=desk.entrance.security_path)
    return await desk.entrance.page(desk.request, shown, title=title, error=error)

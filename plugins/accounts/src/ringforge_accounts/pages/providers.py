"""Sign in with an identity of elsewhere, or connect one with the account.

A provider's answer is a GET that the hub caused, bound to the browser that asked: it may sign in. A link in a mail is
opened by scanners too, and in other browsers: it is confirmed with a POST. An answer that a provider's page posts comes
without cookies: it is held, and the browser sent on to a GET of our own, which carries them.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath

from ringforge_accounts.invites import look_at
from ringforge_accounts.pages.desk import AtDesk, Desk, Page
from ringforge_accounts.pages.entrance import sign_in_page
from ringforge_accounts.people import find_by_email
from ringforge_accounts.providers import Outcome
from ringforge_accounts.tokens import code_digest, is_email
from ringforge_core.errors import NotFound, Refused, RingforgeError

TAKES_ANSWERS = "takes_answers"
"""Marks the route that providers' pages post to."""
LONGEST_ANSWER = 512 * 1024
"""Bytes of such a form. A signed response with many attributes has some tens of thousands."""
LONGEST_STATE = 200
NOBODY = "nobody@localhost"


class BeginForm(msgspec.Struct):
    email: str = ""
    invite: str = ""
    next: str = ""


class ProviderPages(Controller):
    path = "/"

    @post("/{adapter:str}")
    async def begin(self, desk: AtDesk, adapter: FromPath[str]) -> Page:
        form = await desk.form(BeginForm)
        chosen = desk.accounts.providers.adapter(adapter)
        try:
            await desk.accounts.sign_in.count_mail(desk.address)
            invite = await _invite(desk, form.invite)
            if chosen.by_mail:
                await _by_mail(desk, adapter, form, invite)
                return desk.page("sent.html", title="Check your mail", email=form.email)
            begun = await desk.accounts.providers.begin(
                adapter, callback_url=callback_url(desk, adapter), visit=desk.visit, next_path=desk.next_path(form.next),
                email=form.email.strip() if chosen.asks_email else None, invite=invite,
            )  # fmt: skip
        except RingforgeError as error:
            return await sign_in_page(desk, as_refusal(error), email=form.email, next_path=form.next)
        # Not a redirect: the policy lets forms lead to this hub only, and a redirect after one counts as that.
        return desk.page("go.html", title=f"On to {chosen.label}", target=begun.redirect_url)

    @get("/{adapter:str}/callback")
    async def answer(self, desk: AtDesk, adapter: FromPath[str]) -> Page:
        chosen = desk.accounts.providers.adapter(adapter)
        parameters = dict(desk.request.query_params.items())
        if chosen.by_mail:
            return desk.page("confirm.html", label=chosen.label, fields=parameters)
        return await complete(desk, adapter, parameters)

    @post("/{adapter:str}/callback", opt={TAKES_ANSWERS: True}, request_max_body_size=LONGEST_ANSWER)
    async def confirm(self, desk: AtDesk, adapter: FromPath[str]) -> Page:
        given = await desk.request.form()
        parameters = {name: value for name, value in given.items() if isinstance(value, str)}
        providers = desk.accounts.providers
        if not providers.answers_by_post(adapter):
            return await complete(desk, adapter, parameters)
        state = parameters.get("RelayState") or parameters.get("state") or ""
        await providers.hold(adapter, state, parameters)
        return desk.go(f"/auth/{adapter}/callback?{urlencode({'state': state[:LONGEST_STATE]})}")

    @get("/{adapter:str}/metadata")
    async def metadata(self, desk: AtDesk, adapter: FromPath[str]) -> Response[str]:
        """What a provider's operator is to be given."""
        document = await desk.accounts.providers.adapter(adapter).metadata(callback_url(desk, adapter))
        if document is None:
            raise NotFound("This way to sign in has no metadata.")
        return Response(document.text, media_type=document.media_type)


def callback_url(desk: Desk, adapter: str) -> str:
    return f"{desk.origin}/auth/{adapter}/callback"


async def complete(desk: Desk, adapter: str, parameters: dict[str, str]) -> Page:
    accounts = desk.accounts
    try:
        await accounts.sign_in.count_try(parameters.get("state", ""), desk.address)
        person = await accounts.sessions.find(desk.cookie) if desk.cookie else None
        outcome: Outcome = await accounts.providers.complete(
            adapter, parameters=parameters, callback_url=callback_url(desk, adapter), visit=desk.visit,
            visitor=desk.visitor, cookie=desk.cookie, person=person,
        )  # fmt: skip
    except RingforgeError as error:
        return await sign_in_page(desk, as_refusal(error))
    if outcome.entered is None:
        return desk.go(outcome.next_path)
    return desk.enter(outcome.entered, outcome.next_path)


def as_refusal(error: RingforgeError) -> Refused:
    """A provider that does not answer is told to the person as any refusal is."""
    return error if isinstance(error, Refused) else Refused(error.message, reason=error.reason, fix=error.fix)


async def _invite(desk: Desk, code: str) -> bytes | None:
    if not code:
        return None
    await desk.accounts.registration.check_invite(code, desk.address)
    return code_digest(code) if await look_at(desk.accounts.store, code) is not None else None


async def _by_mail(desk: Desk, adapter: str, form: BeginForm, invite: bytes | None) -> None:
    """Only who has an account, or may make one, is sent a mail; for all others the same is done without one."""
    accounts, email = desk.accounts, form.email.strip()
    may_register = invite is not None or accounts.settings.registration == "self_serve"
    known = await find_by_email(accounts.store, email) is not None
    may_send = await accounts.registration.may_send(email)
    await accounts.providers.begin(
        adapter, callback_url=callback_url(desk, adapter), visit=desk.visit, next_path=desk.next_path(form.next),
        email=email if is_email(email) else NOBODY, invite=invite,
        sends=may_send and is_email(email) and (known or may_register),
    )  # fmt: skip

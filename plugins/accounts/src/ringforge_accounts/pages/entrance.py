"""What other capabilities by which people sign in are given here, and their parts of the pages of accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from litestar import Request

from ringforge_accounts.letter_box import post
from ringforge_accounts.pages.desk import Desk, Page
from ringforge_accounts.pages.places import SECURITY
from ringforge_accounts.pages.rendering import html_of, scripts_of
from ringforge_accounts.people import find_by_id
from ringforge_accounts.sign_in import Entered
from ringforge_accounts.tables import user_identities, users
from ringforge_core.errors import Refused
from ringforge_core.plugin.web import PagePart, SignedIn, csrf_token, sign_in_methods
from ringforge_core.ports.auth import Mail
from ringforge_core.ports.store import Transaction

if TYPE_CHECKING:
    from ringforge_accounts.capability import Accounts


class AccountsEntrance:
    """The `Entrance` of accounts."""

    security_path = SECURITY.page.path

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def count_challenge(self, request: Request[Any, Any, Any]) -> None:
        await self._accounts.sign_in.count_challenge(self._desk(request).address)

    async def count_try(self, request: Request[Any, Any, Any], subject: str) -> None:
        await self._accounts.sign_in.count_try(subject, self._desk(request).address)

    async def enter(self, request: Request[Any, Any, Any], user_id: str, *, method: str, next_path: str) -> Page:
        desk = self._desk(request)
        cookie = await self._accounts.sessions.open(user_id, method=method, visitor=desk.visitor, cookie=desk.cookie)
        return desk.enter(Entered(cookie), desk.next_path(next_path))

    async def tell_failure(self, request: Request[Any, Any, Any], user_id: str, *, method: str, problem: str) -> None:
        user = await find_by_id(self._accounts.store, user_id)
        await self._accounts.sign_in.tell_failure(user, method, self._desk(request).visitor, problem=problem)

    async def sign_in_page(self, request: Request[Any, Any, Any], error: Refused, *, next_path: str) -> Page:
        return await sign_in_page(self._desk(request), error, next_path=next_path)

    async def page(
        self, request: Request[Any, Any, Any], part: PagePart, *, title: str, error: Refused | None = None
    ) -> Page:
        shown = {"parts": html_of([part]), "scripts": scripts_of([part])}
        return await self._desk(request).show(SECURITY, template="part.html", title=title, error=error, **shown)

    def letter(self, mail: Mail) -> Callable[[Transaction], None]:
        sealed = self._accounts.mailer.seal(mail)
        return lambda tx: post(tx, sealed)

    def send_letters(self) -> None:
        self._accounts.mailer.wake()

    def ways_in(self, tx: Transaction, user_id: str) -> int:
        accounts = self._accounts
        person = sa.select(users.c.password_hash.is_not(None)).where(users.c.id == user_id).with_for_update()
        has_password = tx.execute(person).scalar_one_or_none() or False
        adapters = accounts.providers.adapters.values()
        linked = sa.and_(
            user_identities.c.user_id == user_id, user_identities.c.provider.in_([each.provider for each in adapters])
        )
        identities: int = tx.execute(sa.select(sa.func.count()).where(linked)).scalar_one()
        by_mail = accounts.settings.mail.server is not None and any(adapter.by_mail for adapter in adapters)
        return int(has_password) + identities + int(by_mail)

    def _desk(self, request: Request[Any, Any, Any]) -> Desk:
        return Desk(self._accounts, request)


async def sign_in_page(
    desk: Desk, error: Refused | None = None, *, email: str = "", next_path: str = "", again: bool = False
) -> Page:
    """`again`: to somebody who is signed in."""
    shown = desk.next_path(next_path) if next_path else ""
    asked = [
        await method.sign_in_part(desk.request, csrf=csrf_token(desk.visit), next_path=shown)
        for method in sign_in_methods(desk.accounts.hub)
    ]
    data: dict[str, Any] = {"email": email, "next": next_path, "again": again, "parts": _given(asked)}
    return desk.page("sign_in.html", **data) if error is None else desk.refused("sign_in.html", error, **data)


async def security_parts(desk: Desk, person: SignedIn) -> list[PagePart]:
    return _given([await method.security_part(desk.request, person) for method in sign_in_methods(desk.accounts.hub)])


def _given(parts: Sequence[PagePart | None]) -> list[PagePart]:
    return [part for part in parts if part is not None]

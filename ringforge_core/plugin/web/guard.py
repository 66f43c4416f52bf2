"""Lets in who is signed in, with the role that is needed. Changes also carry the session's CSRF token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from ringforge_core.errors import Forbidden, Unauthenticated
from ringforge_core.plugin.web.csrf import check_csrf
from ringforge_core.plugin.web.people import Role, SignedIn, people_of

if TYPE_CHECKING:
    from ringforge_core.plugin.capability import Hub

SESSION_COOKIE = "_hub_key"
SIGN_IN_REQUIRED = "sign_in_required"

Person = NamedDependency[SignedIn]
"""A route behind `only_signed_in` takes it as `person`."""


def only_signed_in(hub: Hub, role: Role = "viewer") -> Guard:
    """A guard for routes of people: `Unauthenticated` without a session, `Forbidden` with too low a role.

    The person is left in the connection's state, for `person_of`.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        person: SignedIn | None = getattr(connection.state, "person", None)
        if person is None:
            person = await people_of(hub).signed_in(connection)
            if person is None:
                raise Unauthenticated("You are not signed in.", reason=SIGN_IN_REQUIRED, fix="Sign in, then try again.")
            if isinstance(connection, Request):
                await check_csrf(connection, connection.cookies.get(SESSION_COOKIE), public_url=hub.public_url)
            connection.state.person = person
        if not person.may(role):
            raise Forbidden(
                f"This needs the role {role}; yours is {person.role}.", fix="Ask an owner of the tenant.", role=role
            )

    return guard


async def only_people(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard after `only_signed_in`: an admin key is nobody in particular, it has no account and belongs to no team."""
    person: SignedIn = connection.state.person
    if person.key_id is not None:
        raise Forbidden("You signed in with an admin key; this page is for people.", fix="Sign in with your own account.")


def person_of(request: Request[Any, Any, Any]) -> SignedIn:
    """Who the guard let in."""
    person: SignedIn = request.state.person
    return person

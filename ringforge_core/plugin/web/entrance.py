"""A way to sign in that is a capability of its own: what it and the capability that signs people in ask of each other.

The method proves who somebody is and keeps what it needs for that; accounts keeps people and sessions. Neither knows the
other: accounts shows the parts of every `SignInMethod`, a method finds accounts with `entrance_of`. For identities that a
provider proves, or a mail, there is the port Auth.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from ringforge_core.errors import PluginError, Refused, Unauthenticated
from ringforge_core.plugin.ids import now
from ringforge_core.plugin.web.people import SignedIn
from ringforge_core.ports.auth import Mail
from ringforge_core.ports.store import Transaction

if TYPE_CHECKING:
    from litestar import Request, Response

    from ringforge_core.plugin.capability import Hub

VISIT_COOKIE = "_hub_visit"
"""The browser's own secret while nobody is signed in: forms, and what begins there, are bound to it."""
SIGN_IN_AGAIN = "sign_in_again"
FRESH = timedelta(minutes=10)
"""How long after a sign-in a person may change by what they sign in."""


class PagePart(msgspec.Struct, frozen=True, kw_only=True):
    """`html` goes into a page as it is; `script` is the address of a file of this hub."""

    html: str
    script: str | None = None


@runtime_checkable
class SignInMethod(Protocol):
    """A capability by which people sign in, besides the ways that accounts has itself."""

    async def sign_in_part(self, request: Request[Any, Any, Any], *, csrf: str, next_path: str) -> PagePart | None:
        """For the page where people sign in. `csrf` belongs to the browser, `next_path` is where to go after it."""

    async def security_part(self, request: Request[Any, Any, Any], person: SignedIn) -> PagePart | None:
        """For the page on which a person sees by what they sign in."""

    def ways_in(self, tx: Transaction, user_id: str) -> int:
        """With how many things of this method the person can sign in; as part of a change."""

    def forget_added(self, tx: Transaction, user_id: str, since: datetime) -> None:
        """Take away what the person can sign in with since then: it may be somebody else's. As part of a change."""


class Entrance(Protocol):
    """What the capability that signs people in does for a `SignInMethod`."""

    security_path: str
    """The page that shows `security_part`."""

    async def count_challenge(self, request: Request[Any, Any, Any]) -> None:
        """Before something is begun that costs a row. Raises `LimitReached`."""

    async def count_try(self, request: Request[Any, Any, Any], subject: str) -> None:
        """Before a proof is looked at; `subject` is what it is about. Raises `LimitReached`."""

    async def enter(self, request: Request[Any, Any, Any], user_id: str, *, method: str, next_path: str) -> Response[Any]:
        """Sign the person in, who proved both factors. Raises `Refused` for who may not enter."""

    async def tell_failure(self, request: Request[Any, Any, Any], user_id: str, *, method: str, problem: str) -> None:
        """To the audit log of the person's tenant."""

    async def sign_in_page(self, request: Request[Any, Any, Any], error: Refused, *, next_path: str) -> Response[Any]:
        """The page where people sign in, with what was wrong."""

    async def page(
        self, request: Request[Any, Any, Any], part: PagePart, *, title: str, error: Refused | None = None
    ) -> Response[Any]:
        """A page of who is signed in, in the shell of the pages about people."""

    def letter(self, mail: Mail) -> Callable[[Transaction], None]:
        """The mail as a part of the change that promises it: it is sent when that is committed, whatever happens then."""

    def send_letters(self) -> None:
        """There is a letter: send it now, and not only at the next look."""

    def ways_in(self, tx: Transaction, user_id: str) -> int:
        """As that of a method: password, identities of elsewhere, links by mail. The person's row is locked until the
        change is committed, so that of two ways that are taken away at once one stays."""


@runtime_checkable
class HasEntrance(Protocol):
    entrance: Entrance


def entrance_of(hub: Hub) -> Entrance:
    """Raises `PluginError` when no capability signs people in."""
    for capability in hub.capabilities:
        if isinstance(capability, HasEntrance):
            return capability.entrance
    raise PluginError(
        "No capability of this hub signs people in, and another way to sign in is in use.",
        fix='Add "accounts" to [capabilities] use, before it.',
    )


def sign_in_methods(hub: Hub) -> list[SignInMethod]:
    return [capability for capability in hub.capabilities if isinstance(capability, SignInMethod)]


def count_ways_in(hub: Hub, tx: Transaction, user_id: str) -> int:
    """With how many things a person can sign in, of all methods. Who takes one away keeps another, in the same change."""
    own = entrance_of(hub).ways_in(tx, user_id)  # first: it locks
    return own + sum(method.ways_in(tx, user_id) for method in sign_in_methods(hub))


def forget_added(hub: Hub, tx: Transaction, user_id: str, since: datetime) -> None:
    """Of all methods, for who takes an account back."""
    for method in sign_in_methods(hub):
        method.forget_added(tx, user_id, since)


def check_fresh(person: SignedIn) -> None:
    """Raise `Unauthenticated` for who signed in a while ago, and might have left the browser open. A browser is led to
    the sign-in and back."""
    if now() - person.signed_in_at > FRESH:
        raise Unauthenticated(
            "You signed in a while ago.", reason=SIGN_IN_AGAIN, fix="Sign in again to change by what you sign in."
        )

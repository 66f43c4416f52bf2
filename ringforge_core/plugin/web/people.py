"""Who is signed in, as every plugin may know it. Which capability finds that out (accounts), nobody else needs to know."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import msgspec

from ringforge_core.errors import PluginError

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from ringforge_core.plugin.capability import Hub

Role = Literal["viewer", "member", "admin", "owner"]
"""What a person may do in a tenant: look · work · administer · everything. Each includes those before it."""

ROLES: tuple[Role, ...] = get_args(Role)


class Membership(msgspec.Struct, frozen=True):
    tenant_id: str
    tenant_name: str
    role: Role


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A person in a tenant: the one that they look at now. `memberships` are all of theirs, for a switcher.

    `csrf_token` goes into each form as the field `_csrf`, or into the header `x-csrf-token` of a request by script.
    `signed_in_at` is when they last proved who they are.

    Who signed in with an admin key is nobody in particular: `key_id` is set, and `user_id` is the same.
    """

    user_id: str
    email: str
    name: str | None
    session_id: str
    signed_in_at: datetime
    csrf_token: str
    current: Membership
    memberships: tuple[Membership, ...]
    key_id: str | None = None

    @property
    def tenant_id(self) -> str:
        return self.current.tenant_id

    @property
    def role(self) -> Role:
        return self.current.role

    def may(self, role: Role) -> bool:
        """Whether the person's role is this one or a higher one."""
        return ROLES.index(self.current.role) >= ROLES.index(role)


@runtime_checkable
class People(Protocol):
    """The capability that signs people in."""

    sign_in_path: str
    """A page; it takes the path to return to as `?next=`, and `again=1` to show itself to who is signed in."""
    sign_out_path: str
    """Takes a POST."""
    switch_path: str
    """Takes a POST with `tenant_id`, and `next`."""

    async def signed_in(self, connection: ASGIConnection[Any, Any, Any, Any]) -> SignedIn | None:
        """The person whose session cookie came with the request; None without a valid one."""


def people_of(hub: Hub) -> People:
    """The capability of this hub that signs people in; raises `PluginError` when none is in use."""
    for capability in hub.capabilities:
        if isinstance(capability, People):
            return capability
    raise PluginError(
        "No capability of this hub signs people in, and a page of it needs to know who is there.",
        fix='Add "accounts" to [capabilities] use.',
    )

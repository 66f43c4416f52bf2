"""One request: to which hub, from which browser, and what its form says."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.di import NamedDependency

from ringforge_auth_passkeys.passkeys import Actor
from ringforge_auth_passkeys.relying_party import RelyingParty, relying_party
from ringforge_core.plugin import Hub
from ringforge_core.plugin.web import VISIT_COOKIE, Entrance, SignedIn, entrance_of


class AnswerForm(msgspec.Struct):
    """`answer` is what the browser's authenticator said, as JSON; `transports` how it is reached, by spaces."""

    answer: str = ""
    next: str = ""
    name: str = ""
    transports: str = ""


class Desk:
    def __init__(self, hub: Hub, request: Request[Any, Any, Any]) -> None:
        self.hub = hub
        self.store = hub.store
        self.request = request
        self.entrance: Entrance = entrance_of(hub)
        self.visit = request.cookies.get(VISIT_COOKIE, "")
        """The browser's own secret."""

    @property
    def party(self) -> RelyingParty:
        """Raises `Refused` where there can be no passkeys."""
        return relying_party(self.request, self.hub.public_url)

    @property
    def base_url(self) -> str:
        """What a link in a mail begins with."""
        return self.hub.public_url or self.party.origin

    async def form(self) -> AnswerForm:
        given = await self.request.form()
        return msgspec.convert({name: value for name, value in given.items() if isinstance(value, str)}, AnswerForm)

    def actor(self, person: SignedIn) -> Actor:
        return Actor(person.user_id, person.tenant_id, self.hub.client_address(self.request.scope))


AtDesk = NamedDependency[Desk]
"""A route takes it as `desk`."""

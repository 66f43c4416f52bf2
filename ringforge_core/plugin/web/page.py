"""A page of the dashboard, as a capability declares it. The dashboard gives it a place, a shell and its components."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ringforge_core.plugin.web.people import Role, SignedIn


class Visit(msgspec.Struct, frozen=True):
    """Somebody looks at a page: who, with what in the query, and at which fleet of their tenant."""

    person: SignedIn
    query: Mapping[str, str]
    fleet_id: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`template` is a Jinja2 template in the folder `templates` of the package `package`; `data` is what it is given.

    `path` is the last part of the page's address, such as `tasks`; `icon` the name of one of the dashboard's icons; the
    navigation shows pages by `order`, then by title, to those whose role is `role` or higher, and with `needs_person` not
    to who signed in with a key.

    A `path` that begins with a slash is the whole address, where the capability answers itself, with `Shell.in_shell`; such
    a page has no template here.
    """

    title: str
    path: str
    icon: str
    package: str = ""
    template: str = ""
    data: Callable[[Visit], Awaitable[Mapping[str, Any]]] | None = None
    order: int = 100
    role: Role = "viewer"
    needs_person: bool = False

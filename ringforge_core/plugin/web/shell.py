"""What surrounds the pages of people: navigation, menus, a look. One capability gives it (the dashboard), or none does.

A capability that answers at an address of its own, with forms and what was wrong with them, shows its page in the shell:
its template extends `page.html` and uses `components.html`, which are the shell's. Without a shell it brings these two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from ringforge_core.errors import Refused

if TYPE_CHECKING:
    from litestar import Request, Response

    from ringforge_core.plugin.capability import Hub


class ShellPage(msgspec.Struct, frozen=True, kw_only=True):
    """`template` is one of the package `package`; `here` is the page's own address, also where a form was sent elsewhere.

    `error` is what was wrong, above the page, and `status` that of the answer. `csrf` is the token of its forms.
    """

    package: str
    template: str
    title: str
    here: str
    csrf: str
    data: Mapping[str, Any]
    error: Refused | None = None
    status: int = 200


@runtime_checkable
class Shell(Protocol):
    async def in_shell(self, request: Request[Any, Any, Any], page: ShellPage) -> Response[Any]:
        """The page for the person whom the guard let in. Raises `NotFound` for a fleet that is not their tenant's."""


def shell_of(hub: Hub) -> Shell | None:
    return next((capability for capability in hub.capabilities if isinstance(capability, Shell)), None)

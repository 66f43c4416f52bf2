"""The pages, one file each. A page that only shows is a `Page`; what has forms or parts is a controller besides.

shared.py     the event stream, the theme, static files, and pages that other capabilities give
overview.py   what is going on, and what needs attention
agents.py     the roster, and one agent
"""

from __future__ import annotations

from collections.abc import Collection

from litestar import Controller

from ringforge_core.plugin.web import Page, Visit
from ringforge_dashboard.pages.agents import AgentPages
from ringforge_dashboard.pages.overview import OverviewPages

CONTROLLERS: tuple[type[Controller], ...] = (OverviewPages, AgentPages)


async def _nothing(visit: Visit) -> dict[str, object]:
    """Its controller gives the data."""
    return {}


def _place(title: str, path: str, icon: str, order: int) -> Page:
    return Page(
        title=title, path=path, icon=icon, order=order, package="ringforge_dashboard", template="page.html", data=_nothing
    )


def pages_of(capabilities: Collection[str]) -> list[Page]:
    """The places of the dashboard's own pages in the navigation; without a capability there is no page for it."""
    places = [
        ("", _place("Overview", "", "overview", 0)),
        ("presence", _place("Agents", "agents", "agents", 10)),
    ]
    return [page for needed, page in places if not needed or needed in capabilities]

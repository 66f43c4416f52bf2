"""The pages, one file each. A page that only shows is a `Page`; what has forms or parts is a controller besides.

shared.py     the event stream, the theme, static files, and pages that other capabilities give
overview.py   what is going on, and what needs attention
agents.py     the roster, and one agent
activity.py   what agents tell, live and from the past
messages.py   conversations with agents
keys.py       API keys
memory.py     the shared memory
groups.py     squads, pods and channels
fleets.py     the tenant's fleets
usage.py      what is used of the plan
audit.py      who did what
add_agent.py  the way to a new agent
"""

from __future__ import annotations

from collections.abc import Collection

from litestar import Controller

from ringforge_core.plugin.web import Page, Role, Visit
from ringforge_dashboard.pages.activity import ActivityPages
from ringforge_dashboard.pages.add_agent import AddAgentPages
from ringforge_dashboard.pages.agents import AgentPages
from ringforge_dashboard.pages.audit import AuditPages
from ringforge_dashboard.pages.fleets import FleetPages
from ringforge_dashboard.pages.groups import GroupPages
from ringforge_dashboard.pages.keys import KeyPages
from ringforge_dashboard.pages.memory import MemoryPages
from ringforge_dashboard.pages.messages import MessagePages
from ringforge_dashboard.pages.overview import OverviewPages
from ringforge_dashboard.pages.usage import UsagePages

CONTROLLERS: tuple[type[Controller], ...] = (
    OverviewPages,
    AgentPages,
    ActivityPages,
    MessagePages,
    KeyPages,
    MemoryPages,
    GroupPages,
    FleetPages,
    UsagePages,
    AuditPages,
    AddAgentPages,
)


async def _nothing(visit: Visit) -> dict[str, object]:
    """Its controller gives the data."""
    return {}


def _place(title: str, path: str, icon: str, order: int, role: Role = "viewer") -> Page:
    return Page(
        title=title, path=path, icon=icon, order=order, role=role, package="ringforge_dashboard", template="page.html",
        data=_nothing,
    )  # fmt: skip


def pages_of(capabilities: Collection[str]) -> list[Page]:
    """The places of the dashboard's own pages in the navigation; without a capability there is no page for it."""
    places = [
        ("", _place("Overview", "", "overview", 0)),
        ("presence", _place("Agents", "agents", "agents", 10)),
        ("activity", _place("Activity", "activity", "activity", 20)),
        ("direct", _place("Messages", "messages", "messages", 30)),
        ("memory", _place("Memory", "memory", "memory", 40)),
        ("groups", _place("Groups", "groups", "groups", 50)),
        ("", _place("Fleets", "fleets", "fleets", 60, role="admin")),
        ("", _place("Usage", "usage", "usage", 70)),
        ("", _place("Audit", "audit", "audit", 90, role="admin")),
        ("", _place("Keys", "keys", "keys", 80, role="admin")),
    ]
    return [page for needed, page in places if not needed or needed in capabilities]

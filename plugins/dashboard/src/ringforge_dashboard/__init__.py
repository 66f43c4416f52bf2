"""The dashboard: people watch their fleets live, write to agents, hand out keys.

    capability.py    the capability: its routes and pages
    desk.py          one request: who comes, which fleet they look at, how it is answered
    shell.py         what surrounds every page: navigation, switchers, the account's menu
    rendering.py     templates and static files
    live.py          the event stream of a tab, which resumes where it was
    fragments.py     an event as a piece of a page
    pages/           one file a page

Pages are made on the server and are whole without a script; forms are plain forms. With a script, `static/live.js` keeps
one event stream a tab and puts pieces of HTML where their ids say. There is no other script, and nothing from outside.

A capability gives a page of its own by `Capability.pages`; its template extends `page.html` and uses the macros of
`components.html`.
"""

from typing import Any

from ringforge_core.plugin import Capability, hookimpl
from ringforge_dashboard.capability import Dashboard

__all__ = ["Dashboard", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return Dashboard

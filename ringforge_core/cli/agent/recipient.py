"""From what a person types to an agent's id."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from ringforge_core.cli.lazy import load

if TYPE_CHECKING:
    from ringforge import Agent


async def agent_id_of(agent: Agent, who: str) -> str:
    """An id and `dashboard` as they are, a name looked up in the fleet; raises the SDK's `NotFound`."""
    if who == "dashboard" or who.startswith("ag_"):
        return who
    names = {profile.name: profile.agent_id for profile in await agent.agents.list() if profile.name}
    if who in names:
        return names[who]
    near = difflib.get_close_matches(who, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise load("ringforge:NotFound")("not_found", f"No agent of the fleet is named {who}.{hint}", "ringforge agent roster")

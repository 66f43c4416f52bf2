"""What happened as pieces of a page: elements with the id that they replace, or the list that they go into.

`data-into` names the list, `data-at` its end (`first` or `last`), `data-keep` how many it shows; `data-gone` takes the
element of this id away. Anything else replaces the element of the same id. What a page does not have is left out by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ringforge_core.plugin.administration import DASHBOARD, Told
from ringforge_core.plugin.records import Minute, PresentAgent
from ringforge_core.ports.event_bus import Event
from ringforge_dashboard.chart import draw
from ringforge_dashboard.rendering import environment, payload_of

if TYPE_CHECKING:
    from ringforge_dashboard.desk import Desk

FEED = 100
"""Activities that a feed shows; of more at once only the newest are sent."""


class Fragments:
    def __init__(self, shows: Iterable[str], desk: Desk) -> None:
        self._shows = frozenset(shows)
        self._desk = desk
        self._macros: Any = environment().get_template("fragments.html").module

    def of(self, happenings: Sequence[Event | Told]) -> str:
        pieces: list[Markup] = []
        if "activity" in self._shows:
            pieces += self._activities(happenings)
        if "chat" in self._shows:
            pieces += self._messages(happenings)
        pieces += self._presence(happenings)
        return as_html(pieces)

    def pace(self, pace: Sequence[Minute]) -> str:
        """The picture of the last hour."""
        return as_html([self._macros.pace(draw(pace))])

    def connected(self, present: Iterable[PresentAgent]) -> list[Markup]:
        """Of those whom the page waits for, that they are there."""
        macro = self._macros.live_connected
        return [macro(agent, self._desk) for agent in present if f"waits:{agent.name}" in self._shows]

    def _activities(self, happenings: Sequence[Event | Told]) -> list[Markup]:
        events = [each for each in happenings if isinstance(each, Event) and each.push == "activity:broadcast"]
        return [self._macros.live_activity(payload_of(event), self._desk) for event in events[-FEED:]]

    def _messages(self, happenings: Sequence[Event | Told]) -> list[Markup]:
        pieces = []
        for each in happenings:
            if not isinstance(each, Event) or each.audience.agents is None:
                continue
            message = payload_of(each)
            if each.push == "direct:message" and DASHBOARD in (each.agent_id, *each.audience.agents):
                partner = each.audience.agents[0] if each.agent_id == DASHBOARD else each.agent_id
                pieces.append(self._macros.live_message(message, partner, self._desk))
            elif each.push in ("message:receipt", "message:read") and DASHBOARD in each.audience.agents:
                pieces.append(self._macros.live_receipt(message["message_id"], message.get("status", "read")))
        return pieces

    def _presence(self, happenings: Sequence[Event | Told]) -> list[Markup]:
        """Of each agent that came, went or changed, what it is now."""
        changed = [each for each in happenings if isinstance(each, Told) and each.push.startswith("presence:")]
        if not changed:
            return []
        desk = self._desk
        present = desk.administration.present(desk.tenant_id, desk.fleet.id)
        pieces = [self._macros.live_online(len(present))]
        now = {each.agent_id: each for each in present}
        newest = {payload["agent_id"]: payload for each in changed if "agent_id" in (payload := payload_of(each))}
        for agent_id, payload in newest.items():
            if "roster" in self._shows:
                pieces.append(self._macros.live_agent(agent_id, now.get(agent_id), desk))
            elif "rows" in self._shows:
                pieces.append(self._macros.live_row(agent_id, now.get(agent_id), desk))
            if agent_id in now:
                pieces += self.connected([now[agent_id]])
            if f"agent:{agent_id}" in self._shows:
                pieces.append(self._macros.live_now(now.get(agent_id), payload))
        return pieces


def as_html(pieces: Iterable[Markup]) -> str:
    """Each in a template of its own: there a row of a table is one to the browser, whatever stands before it."""
    return "\n".join(f"<template>{piece.strip()}</template>" for piece in pieces)

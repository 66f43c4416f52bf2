"""Replay in plain Python: random events, random filters, and which event a filter lets through."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from ringforge_core.ports.event_bus import FLEET, Audience, Event, ReplayFilter
from ringforge_core.testkit.store_changes import START, an_event

AGENTS, KINDS, TAGS = ("ag_1", "ag_2", "ag_3"), ("info", "warning", "set"), ("a", "b", "c", "d")


def any_event(chance: random.Random) -> Event:
    """An event of tenant-a's fleet-a with anything in it that a filter looks at."""
    agents = None if chance.random() < 0.5 else tuple(chance.sample(AGENTS, chance.randint(0, 2)))
    tags = None if chance.random() < 0.8 else ("a",)
    return an_event(
        topic=chance.choice(["activity", "memory"]),
        at=START + timedelta(minutes=chance.randint(0, 60)),
        kind=chance.choice([None, *KINDS]),
        agent_id=chance.choice([None, *AGENTS]),
        tags=tuple(chance.sample(TAGS, chance.randint(0, 3))),
        audience=Audience(agents, tags) if agents is not None or tags else FLEET,
    )


def any_query(chance: random.Random) -> ReplayFilter:
    """A filter with anything in it."""

    def several(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(chance.sample(values, chance.choice([0, 0, 1, 2])))

    def minute() -> datetime | None:
        return START + timedelta(minutes=chance.randint(0, 60)) if chance.random() < 0.3 else None

    return ReplayFilter(
        viewer=chance.choice([None, *AGENTS]),
        since=minute(),
        until=minute(),
        kinds=several(KINDS),
        tags=several(TAGS),
        agents=several(AGENTS),
        after_seq=chance.choice([0, chance.randint(0, 160)]),
        limit=chance.choice([1, 2, 5, 20, 100, 1_000]),
        newest=chance.random() < 0.3,
    )


def matches(event: Event, query: ReplayFilter, topic: str | None) -> bool:
    """What a filter means, in plain Python."""
    named = event.audience.agents
    return (
        (topic is None or event.topic == topic)
        and event.seq > query.after_seq
        and (query.since is None or event.at >= query.since)
        and (query.until is None or event.at <= query.until)
        and (not query.kinds or event.kind in query.kinds)
        and (not query.agents or event.agent_id in query.agents)
        and (not query.tags or bool(set(event.tags) & set(query.tags)))
        and (query.viewer is None or named is None or query.viewer in named or query.viewer == event.agent_id)
    )

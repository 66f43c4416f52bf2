"""Random filters of replays as Hypothesis draws and shrinks them; `replay_model.any_query` makes them without it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as some

from ringforge_core.ports.event_bus import ReplayFilter
from ringforge_core.testkit.replay_model import AGENTS, KINDS, TAGS
from ringforge_core.testkit.store_changes import START


def _several(values: tuple[str, ...]) -> some.SearchStrategy[tuple[str, ...]]:
    return some.lists(some.sampled_from(values), max_size=2, unique=True).map(tuple)


_minutes = some.none() | some.integers(0, 60).map(lambda minute: START + timedelta(minutes=minute))
queries = some.builds(
    ReplayFilter,
    viewer=some.sampled_from([None, *AGENTS]),
    since=_minutes,
    until=_minutes,
    kinds=_several(KINDS),
    tags=_several(TAGS),
    agents=_several(AGENTS),
    after_seq=some.integers(0, 160),
    limit=some.sampled_from([1, 2, 5, 20, 100, 1_000]),
    newest=some.booleans(),
)

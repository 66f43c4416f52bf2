"""Which agents of a fleet want to hear of a key: found without going through all of their patterns."""

from __future__ import annotations

from collections.abc import Mapping

WILDCARD = "*"
Wanted = Mapping[str, frozenset[str]]
"""What an agent subscribed to: the actions by pattern."""


def covers_many(pattern: str) -> bool:
    return pattern.endswith(WILDCARD)


class FleetPatterns:
    """The patterns of one fleet's agents. A pattern that ends in `*` stands for all keys that begin with the rest of it."""

    def __init__(self) -> None:
        self.agents: dict[str, Wanted] = {}
        self._by_key: dict[str, dict[str, frozenset[str]]] = {}
        self._by_prefix: dict[str, dict[str, frozenset[str]]] = {}
        self._lengths: list[int] = []

    def replace(self, agent_id: str, wanted: Wanted) -> None:
        """From now on the agent wants this and nothing else."""
        for pattern in self.agents.pop(agent_id, {}):
            index, text = self._place(pattern)
            index[text].pop(agent_id, None)
            if not index[text]:
                del index[text]
        if wanted:
            self.agents[agent_id] = wanted
        for pattern, actions in wanted.items():
            index, text = self._place(pattern)
            index.setdefault(text, {})[agent_id] = actions
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix})

    def interested(self, key: str, action: str) -> set[str]:
        """Each agent once, however many of its patterns match."""
        found = {agent for agent, actions in self._by_key.get(key, {}).items() if action in actions}
        for length in self._lengths:
            if length > len(key):
                break
            of_prefix = self._by_prefix.get(key[:length])
            if of_prefix:
                found.update(agent for agent, actions in of_prefix.items() if action in actions)
        return found

    def _place(self, pattern: str) -> tuple[dict[str, dict[str, frozenset[str]]], str]:
        if covers_many(pattern):
            return self._by_prefix, pattern[:-1]
        return self._by_key, pattern

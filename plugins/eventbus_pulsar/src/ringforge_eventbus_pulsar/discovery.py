"""Which partitions there are: asked of the broker every second, and told at once what this node made itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ringforge_core.plugin import Periodic
from ringforge_eventbus_pulsar.topics import Topics


class Follower(Protocol):
    """A subscriber that reads partitions."""

    def found(self, partitions: Sequence[str]) -> None:
        """These are there; new ones are to be read from their first message on."""

    def only(self, partitions: set[str]) -> None:
        """The others are gone."""

    def nudge(self) -> None:
        """Called with each look."""


class Discovery:
    def __init__(self, seconds: float) -> None:
        self._topics: Topics | None = None
        self._followers: list[Follower] = []
        self._periodic = Periodic("pulsar-discovery", self._look, seconds)

    async def start(self, topics: Topics) -> None:
        self._topics = topics
        await self._periodic.start()

    async def stop(self) -> None:
        await self._periodic.stop()

    def add(self, follower: Follower) -> None:
        self._followers.append(follower)

    def remove(self, follower: Follower) -> None:
        if follower in self._followers:
            self._followers.remove(follower)

    def created(self, partitions: Sequence[str]) -> None:
        for follower in self._followers:
            follower.found(partitions)

    async def _look(self) -> None:
        assert self._topics, "started"  # noqa: S101 — narrows the type
        partitions = await self._topics.partitions()
        for follower in self._followers:
            follower.found(partitions)
            follower.only(set(partitions))
            follower.nudge()

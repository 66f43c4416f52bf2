"""What the agents of the fleet remember together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from ringforge.calls import Call, first_call
from ringforge.feed import Feed
from ringforge.log import Position, RawPush
from ringforge.memory_entries import Action, MemoryChange, MemoryEntry, MemoryPage, MemoryVersion, Written
from ringforge.replay import Instant, iso
from ringforge.requests import Requests, given
from ringforge.stream import BUFFER, Stream

Sort: TypeAlias = Literal["relevance", "created_at", "updated_at", "access_count"]

ACTIONS: tuple[Action, ...] = ("set", "delete")


class _Versions(msgspec.Struct):
    versions: list[MemoryVersion]


class _Changed(msgspec.Struct):
    key: str
    action: Action


class Memory:
    """Values under keys, for the whole fleet; changes can be followed."""

    def __init__(self, requests: Requests, feed: Feed) -> None:
        self.patterns: dict[str, frozenset[Action]] = {}
        """What this agent follows: the actions by pattern; kept over reconnects."""
        self._requests = requests
        self._feed = feed
        self._streams: dict[str, list[Stream[MemoryChange]]] = {}

    async def set(
        self,
        key: str,
        value: Any | UnsetType = UNSET,
        *,
        type: str | UnsetType = UNSET,
        tags: Iterable[str] | UnsetType = UNSET,
        ttl: int | None = None,
        metadata: Mapping[str, Any] | UnsetType = UNSET,
        if_version: int | None = None,
        idempotency_key: str | None = None,
    ) -> Written:
        """Keep any JSON value of at most 1 MB. A change keeps what is not given, but for `ttl`.

        `ttl` is in seconds; without it the entry stays until it is deleted. With `if_version` (0: there is none yet) it
        is written only if the entry has that version, else `VersionConflict` is raised.
        """
        payload = given(
            key=key, value=value, type=type, tags=tags if isinstance(tags, UnsetType) else list(tags), ttl=ttl,
            metadata=metadata, if_version=if_version,
        )  # fmt: skip
        return await self._requests.send("memory:set", payload, Written, idempotent=True, idempotency_key=idempotency_key)

    async def get(self, key: str) -> MemoryEntry:
        """Raises `NotFound` when nothing is under the key."""
        return await self._requests.fetch("memory:get", {"key": key}, MemoryEntry)

    async def delete(self, key: str, *, if_version: int | None = None, idempotency_key: str | None = None) -> None:
        """Raises `NotFound`, and `VersionConflict` when `if_version` is given and is not the entry's."""
        payload = {"key": key, "if_version": if_version}
        await self._requests.send(
            "memory:delete", payload, dict[str, Any], idempotent=True, idempotency_key=idempotency_key
        )

    async def list(
        self, *, tags: Iterable[str] = (), author: str | None = None, limit: int = 50, offset: int = 0
    ) -> MemoryPage:
        """The entries that have all of the tags, the newest change first; at most `limit` (1 to 500) after `offset`."""
        payload = {"tags": list(tags), "author": author, "limit": limit, "offset": offset}
        return await self._requests.fetch("memory:list", payload, MemoryPage)

    async def query(
        self,
        text_search: str | None = None,
        *,
        tags: Iterable[str] = (),
        author: str | None = None,
        since: Instant | None = None,
        sort: Sort | None = None,
        limit: int = 20,
    ) -> MemoryPage:
        """Find entries that have each word of `text_search` somewhere, by tags, author and age (`since` is included).

        Sorted by relevance when there is a `text_search` and no other `sort` is asked for, else the newest change first.
        """
        payload = {
            "text_search": text_search, "tags": list(tags), "author": author, "since": iso(since), "limit": limit,
            "sort": sort or ("relevance" if text_search else "updated_at"),
        }  # fmt: skip
        return await self._requests.fetch("memory:query", payload, MemoryPage)

    async def history(self, key: str, limit: int = 20) -> tuple[MemoryVersion, ...]:
        """The newest version first, then those before it as far as the hub keeps them; of a deleted entry too."""
        reply = await self._requests.fetch("memory:history", {"key": key, "limit": limit}, _Versions)
        return tuple(reply.versions)

    async def subscribe(
        self,
        pattern: str = "*",
        events: Iterable[Action] = ACTIONS,
        *,
        since: Position | None = None,
        buffer: int = BUFFER,
    ) -> Stream[MemoryChange]:
        """The changes of the keys that match, from now on or after `since`; each once and in order, over reconnects too.

        `*` is every key, `plans/*` every key that begins with `plans/`, anything without a `*` at its end one key.
        """
        wanted = frozenset(events)
        stream = Stream(
            self._feed, _decode, names=frozenset({"memory:changed"}), wants=lambda push: _matches(push, pattern, wanted),
            since=since, buffer=buffer,
        )  # fmt: skip
        self.patterns[pattern] = self.patterns.get(pattern, frozenset()) | wanted
        open_ones = self._streams[pattern] = [one for one in self._streams.get(pattern, ()) if not one.ended]
        open_ones.append(stream)
        try:
            await self._requests.send("memory:subscribe", self._subscription(pattern), dict[str, Any], idempotent=True)
        except BaseException:
            stream.close()
            open_ones.remove(stream)
            if not open_ones:
                self.patterns.pop(pattern, None)
            raise
        return stream

    async def unsubscribe(self, pattern: str = "*") -> None:
        """Follow the keys of this pattern no more: its streams end."""
        await self._requests.send("memory:unsubscribe", {"pattern": pattern}, dict[str, Any], idempotent=True)
        self.patterns.pop(pattern, None)
        for stream in self._streams.pop(pattern, []):
            stream.end(None)

    def subscribe_again(self) -> Iterator[Call]:
        """The requests that a new connection begins with; a hub that kept the patterns takes them as they are."""
        for pattern in self.patterns:
            yield first_call("memory:subscribe", self._subscription(pattern))

    def _subscription(self, pattern: str) -> dict[str, Any]:
        return {"pattern": pattern, "events": sorted(self.patterns[pattern])}


def _matches(push: RawPush, pattern: str, actions: frozenset[Action]) -> bool:
    changed = msgspec.json.decode(push.payload, type=_Changed)
    if changed.action not in actions:
        return False
    return changed.key.startswith(pattern[:-1]) if pattern.endswith("*") else changed.key == pattern


def _decode(push: RawPush) -> MemoryChange:
    change = msgspec.json.decode(push.payload, type=MemoryChange)
    return msgspec.structs.replace(change, position=push.position)

"""What agents send and get about the shared memory; source: wire protocol 3.3."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ringforge_core.mesh.fields import STORABLE
from ringforge_core.plugin import Push, Reply, Request

PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)"  # the lookahead: in Python, `$` matches before a last newline too

Key = Annotated[str, Meta(min_length=1, max_length=500, pattern=PRINTABLE)]
Pattern = Annotated[str, Meta(min_length=1, max_length=501, pattern=PRINTABLE)]
Tag = Annotated[str, Meta(min_length=1, max_length=50, pattern=STORABLE)]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=20)]
Author = Annotated[str, Meta(max_length=100, pattern=STORABLE)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Action = Literal["set", "delete"]
Sort = Literal["relevance", "created_at", "updated_at", "access_count"]

VALUE_BYTES = 1_000_000
METADATA_BYTES = 10_000
MAX_SUBSCRIPTIONS = 200
LONGEST_TTL = 10 * 365 * 86_400


class SetMemory(Request):
    """A change keeps what it does not give, but for `ttl`: without one the entry does not expire any more.

    `value` is any JSON, at most 1 MB of it; a new entry's is `""` if not given. `ttl` is in seconds. With `if_version`
    the change is made only if that is the entry's version; 0 stands for no entry.
    """

    key: Key
    value: msgspec.Raw | UnsetType = UNSET
    type: Annotated[str, Meta(max_length=50, pattern=STORABLE)] | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    ttl: Annotated[int, Meta(ge=1, le=LONGEST_TTL)] | None = None
    metadata: dict[str, Any] | UnsetType = UNSET
    if_version: Annotated[int, Meta(ge=0)] | None = None


class MemorySet(Reply):
    """`version` counts the changes of the key, deletions too."""

    id: str
    key: str
    version: int


class GetMemory(Request):
    key: Annotated[str, Meta(min_length=1, max_length=500)]  # without Key's pattern, a tenth of the work of a reading


class Entry(msgspec.Struct, kw_only=True):
    """`ttl` is when the entry expires, or null; instants are ISO 8601 UTC."""

    id: str
    key: str
    fleet_id: str
    value: Any
    type: str
    tags: list[str]
    author: str
    created_at: str
    updated_at: str
    ttl: str | None
    metadata: dict[str, Any]
    version: int
    access_count: int


class MemoryEntry(Reply, Entry, kw_only=True):
    """One entry. `access_count` includes this reading; readings on other nodes come in within seconds."""

    wire = "memory:entry"


class DeleteMemory(Request):
    """With `if_version` only if that is the entry's version."""

    key: Key
    if_version: Annotated[int, Meta(ge=0)] | None = None


class MemoryDeleted(Reply):
    deleted: bool = True


class ListMemory(Request):
    """Entries that have all of the tags, and were last changed by the author."""

    limit: Limit = 50
    offset: Annotated[int, Meta(ge=0, le=2**31)] = 0
    tags: Tags = ()
    author: Author | None = None


class MemoryList(Reply):
    """The newest change first. `count` are here, fewer than `limit` when no more fit into a message; `total` there are."""

    wire = "memory:list"

    entries: list[Entry]
    count: int
    total: int


class QueryMemory(Request):
    """Like a list; and `text_search` finds entries that have each of its words somewhere in key or value, in any case.

    `since` is inclusive, ISO 8601, UTC when it names no zone. Sorted descending; `relevance` needs a `text_search`.
    """

    tags: Tags = ()
    text_search: Annotated[str, Meta(max_length=1000)] | None = None
    author: Author | None = None
    since: datetime | None = None
    limit: Limit = 20
    sort: Sort = "updated_at"


class MemoryQuery(Reply):
    """`count` are here, fewer than `limit` when no more fit into one message; `total` there are."""

    wire = "memory:query"

    entries: list[Entry]
    count: int
    total: int


class GetMemoryHistory(Request):
    key: Key
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Version(msgspec.Struct, kw_only=True):
    """What the key was from `timestamp` on; after a `delete` there is no value."""

    version: int
    action: Action
    author: str
    timestamp: str
    value: Any
    type: str
    tags: list[str]
    metadata: dict[str, Any]


class MemoryHistory(Reply):
    """The newest version first, then those before it as far as they are kept."""

    wire = "memory:history"

    key: str
    versions: list[Version]
    count: int


class SubscribeMemory(Request):
    """`*` is every key, `p/*` every key under `p/`, `p*` every key that begins so, anything else one key."""

    pattern: Pattern
    events: Annotated[tuple[Action, ...], Meta(min_length=1, max_length=10)] = ("set", "delete")


class MemorySubscribed(Reply):
    subscribed: str
    topic: str


class UnsubscribeMemory(Request):
    pattern: Pattern


class MemoryUnsubscribed(Reply):
    unsubscribed: str


class MemoryChanged(Push):
    """An entry was set or deleted; the author of an expiry is `system`."""

    wire = "memory:changed"

    key: str
    action: Action
    author: str
    timestamp: str
    version: int

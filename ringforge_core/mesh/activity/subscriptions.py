"""Which agents follow a tag: rows that outlive a restart, and the same in memory for the way of every event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from ringforge_core.errors import LimitReached, RingforgeError
from ringforge_core.mesh.activity.messages import MAX_SUBSCRIPTIONS
from ringforge_core.mesh.activity.tables import activity_subscriptions as table
from ringforge_core.plugin import AgentSession, now
from ringforge_core.ports.store import Once, Store, Transaction

SIGNAL = "activity.tags"


class TagChange(msgspec.Struct, frozen=True):
    """Tags that an agent begins or ceases to follow."""

    tenant_id: str
    fleet_id: str
    agent_id: str
    tags: tuple[str, ...]


class Followed(msgspec.Struct, array_like=True):
    """All tags that an agent follows now; the hubs tell each other."""

    fleet_id: str
    agent_id: str
    tags: list[str]


class Subscriptions:
    """Loaded as a whole at the start: an agent that resumes is owed what its tags brought while it was away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decoder = msgspec.json.Decoder(Followed)
        store.on_signal(SIGNAL, self._changed_elsewhere, missed=self.load)
        self._followers: dict[tuple[str, str], set[str]] = {}
        self._tags: dict[tuple[str, str], frozenset[str]] = {}

    async def load(self) -> None:
        rows = await self._store.read(lambda connection: connection.execute(sa.select(table)).all())
        tags: dict[tuple[str, str], set[str]] = {}
        for row in rows:
            tags.setdefault((row.fleet_id, row.agent_id), set()).add(row.tag)
        for fleet_id, agent_id in self._tags.keys() - tags.keys():
            self._replace(fleet_id, agent_id, frozenset())
        for (fleet_id, agent_id), followed in tags.items():
            self._replace(fleet_id, agent_id, frozenset(followed))

    def followers(self, fleet_id: str, tags: Iterable[str]) -> set[str]:
        """The agents of the fleet that follow any of the tags."""
        return set().union(*(self._followers.get((fleet_id, tag), ()) for tag in tags))

    async def subscribe(self, agent: AgentSession, tags: tuple[str, ...], *, once: Once | None = None) -> list[str]:
        """Returns all tags that the agent follows now, sorted; so does `unsubscribe`."""
        return self._note(agent, await self._store.apply(_subscribe, _change(agent, tags), once=once))

    async def unsubscribe(self, agent: AgentSession, tags: tuple[str, ...], *, once: Once | None = None) -> list[str]:
        return self._note(agent, await self._store.apply(_unsubscribe, _change(agent, tags), once=once))

    def _note(self, agent: AgentSession, tags: frozenset[str] | msgspec.Raw) -> list[str]:
        if isinstance(tags, msgspec.Raw):  # a repeat; what the agent follows may be something else by now
            return sorted(msgspec.json.decode(tags, type=list[str]))
        self._replace(agent.fleet_id, agent.agent_id, tags)
        followed = Followed(agent.fleet_id, agent.agent_id, sorted(tags))
        self._store.signal(SIGNAL, msgspec.json.encode(followed))
        return followed.tags

    def _changed_elsewhere(self, body: bytes) -> None:
        followed = self._decoder.decode(body)
        self._replace(followed.fleet_id, followed.agent_id, frozenset(followed.tags))

    def _replace(self, fleet_id: str, agent_id: str, tags: frozenset[str]) -> None:
        before = self._tags.pop((fleet_id, agent_id), frozenset())
        if tags:
            self._tags[fleet_id, agent_id] = tags
        for tag in tags - before:
            self._followers.setdefault((fleet_id, tag), set()).add(agent_id)
        for tag in before - tags:
            followers = self._followers[fleet_id, tag]
            followers.discard(agent_id)
            if not followers:
                del self._followers[fleet_id, tag]


def _change(agent: AgentSession, tags: tuple[str, ...]) -> TagChange:
    return TagChange(agent.tenant_id, agent.fleet_id, agent.agent_id, tags)


def _subscribe(tx: Transaction, changes: Sequence[TagChange]) -> list[frozenset[str] | RingforgeError]:
    return [_add(tx, change) for change in changes]


def _unsubscribe(tx: Transaction, changes: Sequence[TagChange]) -> list[frozenset[str]]:
    return [_remove(tx, change) for change in changes]


def _add(tx: Transaction, change: TagChange) -> frozenset[str] | RingforgeError:
    before = _followed(tx, change)
    added = frozenset(change.tags) - before
    if len(before) + len(added) > MAX_SUBSCRIPTIONS:
        return LimitReached(
            f"An agent can follow {MAX_SUBSCRIPTIONS} tags.",
            reason="too_many_subscriptions",
            fix="Unsubscribe from tags that you no longer need.",
            limit=MAX_SUBSCRIPTIONS,
        )
    if added:
        # What it followed in a fleet that it was moved out of would stand in the way of following it here.
        tx.execute(table.delete().where(*_of_agent(change), table.c.fleet_id != change.fleet_id))
        at = now()
        rows = [
            {"tenant_id": change.tenant_id, "agent_id": change.agent_id, "tag": tag, "fleet_id": change.fleet_id,
             "subscribed_at": at}
            for tag in sorted(added)
        ]  # fmt: skip
        tx.execute(table.insert(), rows)
    return before | added


def _remove(tx: Transaction, change: TagChange) -> frozenset[str]:
    tx.execute(table.delete().where(*_of(change), table.c.tag.in_(change.tags)))
    return _followed(tx, change)


def _followed(tx: Transaction, change: TagChange) -> frozenset[str]:
    return frozenset(tx.execute(sa.select(table.c.tag).where(*_of(change))).scalars())


def _of(change: TagChange) -> tuple[sa.ColumnElement[bool], ...]:
    return *_of_agent(change), table.c.fleet_id == change.fleet_id


def _of_agent(change: TagChange) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.tenant_id == change.tenant_id, table.c.agent_id == change.agent_id

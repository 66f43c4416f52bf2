"""The contract's room about the past: which events a replay returns, to whom, and in which pages."""

# ruff: noqa: S101 — asserts are what a test suite is made of

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec

from ringforge_core.ports.event_bus import FLEET, Audience, EventBus, ReplayFilter, Topic
from ringforge_core.testkit.event_bus_base import BusContract
from ringforge_core.testkit.event_bus_events import PublishDurably, ids, new_event, new_events, new_topic, readable
from ringforge_core.testkit.replay_model import any_event, any_query, matches


class ReplayContract(BusContract):
    async def test_replay_returns_what_was_published(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably([new_event(topic, n, tags=("t",), key=f"key-{n}") for n in range(5)])
        page = await bus.replay(topic, ReplayFilter())
        assert [readable(event) for event in page.events] == [readable(event) for event in sent]
        assert page.next_seq is None

    async def test_replay_of_an_unknown_topic_is_empty(self, bus: EventBus) -> None:
        page = await bus.replay(new_topic(), ReplayFilter())
        assert page.events == ()
        assert page.next_seq is None

    async def test_an_event_published_again_is_replayed_once(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably(new_events(topic, 3))
        await bus.publish(sent)
        assert ids((await bus.replay(topic, ReplayFilter())).events) == ids(sent)
        first = await bus.replay(topic, ReplayFilter(limit=2))
        assert (ids(first.events), first.next_seq) == (ids(sent[:2]), sent[1].seq)
        assert ids((await bus.replay(topic, ReplayFilter(limit=2, newest=True))).events) == ids(sent[1:])

    async def test_replay_filters(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic, start = new_topic(), datetime.now(UTC) - timedelta(seconds=60)
        a, b, c, d = await publish_durably(
            [
                new_event(topic, at=start, kind="alert", tags=("red",), agent_id="ag_1"),
                new_event(topic, at=start + timedelta(seconds=1), kind="alert", tags=("blue", "red"), agent_id="ag_2"),
                new_event(topic, at=start + timedelta(seconds=2), kind="custom", tags=("green",), agent_id="ag_1"),
                new_event(topic, at=start + timedelta(seconds=3), kind="question", agent_id="ag_3"),
            ]
        )
        for query, expected in (
            (ReplayFilter(kinds=("alert",)), [a, b]),
            (ReplayFilter(kinds=("alert", "question")), [a, b, d]),
            (ReplayFilter(tags=("blue", "green")), [b, c]),
            (ReplayFilter(agents=("ag_1", "ag_3")), [a, c, d]),
            (ReplayFilter(since=b.at, until=c.at), [b, c]),
            (ReplayFilter(kinds=("alert",), tags=("red",), agents=("ag_2",)), [b]),
            (ReplayFilter(kinds=("no such kind",)), []),
        ):
            assert ids((await bus.replay(topic, query)).events) == ids(expected), query

    async def test_replay_shows_a_viewer_only_what_it_may_see(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        to_all, to_one, to_tag = await publish_durably(
            [
                new_event(topic, audience=FLEET),
                new_event(topic, audience=Audience(agents=("ag_1", "ag_2")), agent_id="ag_sender"),
                new_event(topic, audience=Audience(tags=("red",)), tags=("red",)),
            ]
        )
        for viewer, expected in (
            ("ag_1", [to_all, to_one, to_tag]),
            ("ag_sender", [to_all, to_one, to_tag]),
            ("ag_stranger", [to_all, to_tag]),
            (None, [to_all, to_one, to_tag]),
        ):
            assert ids((await bus.replay(topic, ReplayFilter(viewer=viewer))).events) == ids(expected), viewer

    async def test_replay_in_pages_sees_every_event_once(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably([new_event(topic, n, kind="custom" if n % 2 else "alert") for n in range(25)])
        seen: list[str] = []
        after: int | None = 0
        while after is not None:
            page = await bus.replay(topic, ReplayFilter(kinds=("custom",), after_seq=after, limit=4))
            assert len(page.events) <= 4
            seen += ids(page.events)
            after = page.next_seq
        assert seen == ids([event for event in sent if event.kind == "custom"])

    async def test_replay_of_the_newest(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        topic = new_topic()
        sent = await publish_durably(new_events(topic, 20))
        page = await bus.replay(topic, ReplayFilter(newest=True, limit=5))
        assert ids(page.events) == ids(sent[-5:])

    async def test_any_filter_finds_what_it_means(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        """Random events and filters, against the filter in plain Python."""
        topic, chance = new_topic(), random.Random(7)  # noqa: S311 — the same for every run
        await bus.ensure_topic(topic, retention=timedelta(days=36_500), partitions=3)
        keys = ("key-1", "key-2", "key-3", "key-4")
        events = sorted((any_event(chance) for _ in range(160)), key=lambda event: event.at)
        sent = await publish_durably(
            [
                msgspec.structs.replace(
                    event, event_id=f"evt_{uuid4()}", tenant_id=topic.tenant_id, fleet_id=topic.fleet_id, topic=topic.name,
                    key=chance.choice(keys),
                )
                for event in events
            ]
        )  # fmt: skip
        for query in [any_query(chance) for _ in range(40)]:
            found = [event for event in sent if matches(event, query, topic.name)]
            page = await bus.replay(topic, query)
            expected = found[-query.limit :] if query.newest else found[: query.limit]
            assert ids(page.events) == ids(expected), query
            more = len(found) > query.limit and not query.newest
            assert page.next_seq == (expected[-1].seq if more else None), query

    async def test_an_event_that_reached_the_log_late_is_found_at_its_instant(
        self, bus: EventBus, publish_durably: PublishDurably
    ) -> None:
        topic, now = new_topic(), datetime.now(UTC)
        await publish_durably([new_event(topic, at=now - timedelta(seconds=30 - n)) for n in range(20)])
        (late,) = await publish_durably([new_event(topic, at=now - timedelta(seconds=60))])
        query = ReplayFilter(since=now - timedelta(seconds=61), until=now - timedelta(seconds=59))
        assert ids((await bus.replay(topic, query)).events) == [late.event_id]

    async def test_tenants_and_fleets_are_apart(self, bus: EventBus, publish_durably: PublishDurably) -> None:
        mine, theirs = new_topic(), new_topic()
        sent = await publish_durably(new_events(mine, 3))
        await publish_durably(new_events(theirs, 3))
        assert ids((await bus.replay(mine, ReplayFilter())).events) == ids(sent)
        claimed = Topic(theirs.tenant_id, mine.fleet_id, "activity")
        assert (await bus.replay(claimed, ReplayFilter())).events == ()
        assert await bus.trim(claimed, before=datetime.now(UTC) + timedelta(seconds=1)) == 0
        assert ids((await bus.replay(mine, ReplayFilter())).events) == ids(sent)

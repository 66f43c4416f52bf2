"""What every Store must do. Subclass `StoreContract`, give it the fixtures `store` and `narrow_store`, and run pytest.

class TestMyStore(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]: ...
"""
# ruff: noqa: S101 — asserts are what a contract is made of

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ringforge_core.errors import Backpressure, Conflict, NotFound, RingforgeError, Unavailable
from ringforge_core.ports.event_bus import Audience, Event, ReplayFilter
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.testkit.replay_model import any_event, matches
from ringforge_core.testkit.replay_queries import queries
from ringforge_core.testkit.store_changes import (
    START,
    Broken,
    Put,
    Stored,
    a_key,
    a_put,
    an_event,
    entries,
    make_entries,
    put,
    stored_keys,
    the_log,
)


class StoreContract:
    """`store` is open and empty; `narrow_store` likewise, and its queue holds ten changes."""

    @pytest.fixture(autouse=True)
    async def _entries(self, store: Store) -> None:
        await store.apply(make_entries, None)

    # Changes

    async def test_a_change_and_its_event_are_committed_together(self, store: Store) -> None:
        command = a_put()
        assert await store.apply(put, command) == Stored(command.key)
        assert await stored_keys(store) == {command.key}
        (event,) = await the_log(store)
        assert event == msgspec.structs.replace(command.event, epoch=event.epoch, seq=1)
        assert len(event.epoch) == 8

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [
            ("returns a refusal", Conflict),
            ("raises a refusal", NotFound),
            ("has a bug", Broken),
            ("repeats a key", Conflict),
            ("repeats an event id", Conflict),
            ("names a foreign fleet", Conflict),
        ],
    )
    async def test_the_culprit_among_fifty_fails_alone(self, store: Store, trouble: str, error: type[Exception]) -> None:
        await store.position("tenant-b", "fleet-b")
        commands = [a_put() for _ in range(50)]
        culprit = a_put(trouble=trouble)
        if trouble == "repeats a key":
            culprit.key = commands[0].key
        if trouble == "repeats an event id":
            culprit.event = commands[0].event
        if trouble == "names a foreign fleet":
            culprit.event = an_event("fleet-b")
        batch = [*commands[:25], culprit, *commands[25:]]
        results = await asyncio.gather(*(store.apply(put, command) for command in batch), return_exceptions=True)
        assert isinstance(results.pop(25), error)
        assert results == [Stored(command.key) for command in commands]
        assert await stored_keys(store) == {command.key for command in commands}
        log = await the_log(store)
        assert [event.event_id for event in log] == [command.event.event_id for command in commands]
        assert [event.seq for event in log] == list(range(1, 51))

    async def test_changes_are_made_in_the_order_they_were_asked_for(self, store: Store) -> None:
        def put_too(transaction: Transaction, commands: Sequence[Put]) -> list[Stored | RingforgeError]:
            return put(transaction, commands)

        commands = [a_put() for _ in range(60)]
        writes = [put, put, put_too]
        await asyncio.gather(*(store.apply(writes[n % 3], command) for n, command in enumerate(commands)))
        assert [event.event_id for event in await the_log(store)] == [command.event.event_id for command in commands]

    async def test_an_unfit_number_of_results_is_the_write_functions_fault(self, store: Store) -> None:
        with pytest.raises(RingforgeError, match="0 results for 1 commands"):
            await store.apply(lambda transaction, commands: [], None)
        await store.apply(put, a_put())

    async def test_a_caller_that_gives_up_disturbs_nobody(self, store: Store) -> None:
        loop = asyncio.get_running_loop()

        def put_while_half_give_up(transaction: Transaction, commands: Sequence[Put]) -> list[Stored | RingforgeError]:
            for task in tasks[::2]:
                loop.call_soon_threadsafe(task.cancel)
            return put(transaction, commands)

        tasks = [asyncio.create_task(store.apply(put_while_half_give_up, a_put())) for _ in range(50)]
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        assert all(isinstance(result, Stored) for result in done[1::2])
        await store.apply(put, a_put())
        assert [event.seq for event in await the_log(store)] == list(range(1, len(await stored_keys(store)) + 1))

    async def test_a_full_queue_pushes_back_and_loses_nothing(self, narrow_store: Store) -> None:
        await narrow_store.apply(make_entries, None)
        calls = (narrow_store.apply(put, a_put()) for _ in range(2_000))
        results = await asyncio.gather(*calls, return_exceptions=True)
        stored = [result for result in results if isinstance(result, Stored)]
        refused = [result for result in results if isinstance(result, Backpressure)]
        assert refused
        assert len(stored) + len(refused) == 2_000
        assert await stored_keys(narrow_store) == {result.key for result in stored}

    async def test_close_commits_what_was_accepted(self, store: Store) -> None:
        commands = [a_put() for _ in range(2_000)]
        tasks = [asyncio.create_task(store.apply(put, command)) for command in commands]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.sleep(0)
        assert all(task.done() for task in tasks)
        await store.open()
        assert await stored_keys(store) == {command.key for command in commands}
        assert await asyncio.gather(*tasks) == [Stored(command.key) for command in commands]

    async def test_a_closed_store_is_unavailable(self, store: Store) -> None:
        await store.close()
        await store.close()
        with pytest.raises(Unavailable):
            await store.apply(put, a_put())
        with pytest.raises(Unavailable):
            await store.position("tenant-a", "fleet-a")

    async def test_no_vendor_error_comes_out_of_a_read(self, store: Store) -> None:
        with pytest.raises(RingforgeError):
            await store.read(lambda connection: connection.execute(sa.text("SELECT * FROM no_such_table")).all())
        assert await stored_keys(store) == set()

    async def test_a_read_cannot_write(self, store: Store) -> None:
        row = {"key": "sly", "tenant_id": "tenant-a"}
        with pytest.raises(RingforgeError):
            await store.read(lambda connection: connection.execute(entries.insert(), row))
        assert await stored_keys(store) == set()

    # Events and their numbers

    async def test_each_fleet_counts_by_itself_without_a_hole(self, store: Store) -> None:
        heard: list[Event] = []
        store.on_commit(heard.extend)
        fleets = ["fleet-a", "fleet-b", "fleet-c"]
        await asyncio.gather(*(store.apply(put, a_put(fleet_id=fleets[n % 3])) for n in range(600)))
        for fleet in fleets:
            log = await the_log(store, fleet)
            assert [event.seq for event in log] == list(range(1, 201))
            assert len({event.epoch for event in log}) == 1
            assert [event for event in heard if event.fleet_id == fleet] == list(log)

    async def test_listeners_hear_of_a_change_before_its_caller(self, store: Store) -> None:
        order: list[str] = []
        store.on_commit(lambda events: order.append(f"heard {events[0].event_id}"))
        for _ in range(3):
            command = a_put()
            await store.apply(put, command)
            order.append(f"resumed {command.event.event_id}")
            assert order[-2:] == [f"heard {command.event.event_id}", f"resumed {command.event.event_id}"]
        assert len(order) == 6

    async def test_a_listener_that_fails_keeps_nobody_from_the_answer(self, store: Store) -> None:
        heard: list[Event] = []

        def fails(events: Sequence[Event]) -> None:
            raise Broken

        store.on_commit(fails)
        store.on_commit(heard.extend)
        await asyncio.wait_for(store.apply(put, a_put()), 10)
        assert len(heard) == 1

    async def test_a_fleet_without_events_has_a_position_that_stays(self, store: Store) -> None:
        first = await store.position("tenant-a", "fleet-a")
        assert (first.seq, first.oldest_seq) == (0, 1)
        await store.apply(put, a_put())
        await store.close()
        await store.open()
        second = await store.position("tenant-a", "fleet-a")
        assert (second.epoch, second.seq, second.oldest_seq) == (first.epoch, 1, 1)

    async def test_trim_forgets_one_topic_and_says_from_where_the_log_is_whole(self, store: Store) -> None:
        topics = ["activity", "activity", "memory", "activity", "memory", "activity"]
        for minute, topic in enumerate(topics):
            await store.apply(put, a_put(topic=topic, at=START + timedelta(minutes=minute)))
        before = START + timedelta(minutes=4)
        assert await store.trim_events("tenant-a", "fleet-a", "activity", before=before) == 3
        assert await store.trim_events("tenant-a", "fleet-a", "activity", before=before) == 0
        assert [event.seq for event in await the_log(store)] == [3, 5, 6]
        position = await store.position("tenant-a", "fleet-a")
        assert (position.seq, position.oldest_seq) == (6, 5)

    async def test_a_trimmed_fleet_goes_on_counting(self, store: Store) -> None:
        await asyncio.gather(*(store.apply(put, a_put()) for _ in range(2_500)))
        assert await store.trim_events("tenant-a", "fleet-a", "activity", before=START + timedelta(days=1)) == 2_500
        await store.apply(put, a_put())
        assert [event.seq for event in await the_log(store)] == [2_501]

    # Idempotency

    async def test_two_hundred_copies_make_one_change(self, store: Store) -> None:
        calls = (store.apply(put, a_put("the-entry"), once=a_key()) for _ in range(200))
        replies: list[Any] = await asyncio.gather(*calls)
        assert [reply for reply in replies if isinstance(reply, Stored)] == [Stored("the-entry")]
        assert sum(bytes(reply) == b'{"key":"the-entry"}' for reply in replies if isinstance(reply, msgspec.Raw)) == 199
        assert len(await the_log(store)) == 1

    async def test_a_repeat_after_a_restart_gets_the_first_reply(self, store: Store) -> None:
        await store.apply(put, a_put("the-entry"), once=a_key())
        await store.close()
        await store.open()
        repeat: Any = await store.apply(put, a_put("another"), once=a_key())
        assert bytes(repeat) == b'{"key":"the-entry"}'
        assert await stored_keys(store) == {"the-entry"}

    async def test_a_key_cannot_be_used_for_another_payload(self, store: Store) -> None:
        calls = [
            store.apply(put, a_put("first"), once=a_key()),
            store.apply(put, a_put("second"), once=a_key(fingerprint=b"other")),
        ]
        first, second = await asyncio.gather(*calls, return_exceptions=True)
        assert first == Stored("first")
        assert isinstance(second, Conflict)
        assert second.reason == "idempotency_conflict"

    @pytest.mark.parametrize("scope", [{"tenant_id": "tenant-b"}, {"owner_id": "ag_2"}, {"operation": "entry:drop"}])
    async def test_the_same_key_elsewhere_is_another_key(self, store: Store, scope: dict[str, str]) -> None:
        await store.apply(put, a_put("first"), once=a_key())
        assert await store.apply(put, a_put("second"), once=a_key(scope=scope)) == Stored("second")

    async def test_a_refusal_is_not_kept(self, store: Store) -> None:
        for trouble, error in [("returns a refusal", Conflict), ("has a bug", Broken)]:
            with pytest.raises(error):
                await store.apply(put, a_put("the-entry", trouble), once=a_key())
        better = a_key(b"a better payload")
        assert await store.apply(put, a_put("the-entry"), once=better) == Stored("the-entry")
        assert isinstance(await store.apply(put, a_put("the-entry"), once=better), msgspec.Raw)

    async def test_copies_of_what_failed_are_tried_themselves(self, store: Store) -> None:
        commands = [a_put("the-entry", "returns a refusal"), a_put("the-entry"), a_put("the-entry")]
        calls = (store.apply(put, command, once=a_key()) for command in commands)
        refused, stored, repeat = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(refused, Conflict)
        assert stored == Stored("the-entry")
        assert isinstance(repeat, msgspec.Raw)

    # Tenants

    async def test_a_tenant_sees_and_trims_only_its_own_log(self, store: Store) -> None:
        await store.apply(put, a_put())
        assert await the_log(store, tenant_id="tenant-b") == ()
        with pytest.raises(NotFound):
            await store.position("tenant-b", "fleet-a")
        assert await store.trim_events("tenant-b", "fleet-a", "activity", before=START + timedelta(days=1)) == 0
        assert len(await the_log(store)) == 1
        with pytest.raises(Conflict):
            await store.apply(put, a_put(tenant_id="tenant-b"))
        assert [event.seq for event in await the_log(store)] == [1]

    # Replay

    async def test_an_event_for_some_is_kept_from_the_others(self, store: Store) -> None:
        audience = Audience(agents=("ag_2", "ag_3"))
        await store.apply(put, a_put(agent_id="ag_1", audience=audience))
        for viewer, sees in [("ag_1", 1), ("ag_2", 1), ("ag_3", 1), ("ag_4", 0), (None, 1)]:
            found = await store.events("tenant-a", "fleet-a", ReplayFilter(viewer=viewer))
            assert [event.audience for event in found.events] == [audience] * sees

    async def test_what_was_appended_is_read_back_whole(self, store: Store) -> None:
        command = a_put(
            topic="memory",
            push="memory:changed",
            body=msgspec.Raw('{"text":"ä\\u0000\\"🜂"}'.encode()),
            at=START + timedelta(microseconds=123_457),
            key="plan",
            kind="set",
            agent_id="ag_1",
            tags=("x", "ü", 'quo"te'),
            audience=Audience(tags=("x",)),
        )
        await store.apply(put, command)
        (event,) = await the_log(store)
        assert msgspec.structs.replace(event, epoch="", seq=0) == command.event

    async def test_pages_follow_each_other_to_the_end(self, store: Store) -> None:
        await asyncio.gather(*(store.apply(put, a_put(kind="odd" if n % 2 else "even")) for n in range(20)))
        pages, after = [], 0
        while True:
            page = await store.events("tenant-a", "fleet-a", ReplayFilter(kinds=("odd",), limit=5, after_seq=after))
            pages.append([event.seq for event in page.events])
            if page.next_seq is None:
                break
            after = page.next_seq
        assert pages == [[2, 4, 6, 8, 10], [12, 14, 16, 18, 20]]

    async def test_every_filter_agrees_with_a_plain_model(self, store: Store) -> None:
        chance = random.Random(7)  # noqa: S311 — a fixed log, so that a failure can be repeated
        await asyncio.gather(*(store.apply(put, Put(event=any_event(chance), key=str(n))) for n in range(150)))
        log = await the_log(store)
        asked: list[tuple[ReplayFilter, str | None]] = []

        @settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))
        @given(queries, some.sampled_from([None, "activity", "memory"]))
        def collect(query: ReplayFilter, topic: str | None) -> None:
            asked.append((query, topic))

        collect()
        for query, topic in asked:
            found = await store.events("tenant-a", "fleet-a", query, topic=topic)
            matching = [event for event in log if matches(event, query, topic)]
            page = matching[-query.limit :] if query.newest else matching[: query.limit]
            more = not query.newest and len(matching) > query.limit
            assert list(found.events) == page, query
            assert found.next_seq == (page[-1].seq if more else None), query

"""The order of a reader, over all orders of publishing, reading, losing the connection and coming back."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from ringforge.backoff import LONGEST, Backoff
from ringforge.errors import InvalidPayload, VersionConflict, error_from
from ringforge.feed import Feed
from ringforge.log import Gap, Position, RawPush
from ringforge.stream import Stream

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 6)),
        st.tuples(st.just("deliver"), st.integers(1, 6)),
        st.tuples(st.just("read"), st.tuples(st.integers(0, 1), st.integers(1, 6))),
        st.tuples(st.just("cut"), st.none()),
        st.tuples(st.just("trim"), st.integers(1, 4)),
    ),
    max_size=60,
)


class Simulation:
    """A hub's log, one connection that delivers it piecemeal, and two readers with small buffers."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.head, self.oldest, self.sent = 0, 1, 0
        self.connect()
        self.streams: list[Stream[Any]] = [
            Stream(self.feed, lambda push: push.position, on_gap=lambda gap: gap, buffer=size) for size in (2, 5)
        ]
        self.read: list[list[int]] = [[], []]

    def connect(self) -> None:
        asked = self.feed.resume_from()
        lost_until = None
        self.sent = self.head
        if asked is not None:
            self.sent = max(asked.seq, self.oldest - 1)
            lost_until = Position("e", self.sent) if self.sent > asked.seq else None
        self.feed.joined(Position("e", self.head), asked, lost_until)

    def deliver(self, number: int) -> None:
        for _ in range(min(number, self.head - self.sent)):
            self.sent += 1
            self.feed.accept(RawPush("x", msgspec.Raw(b"{}"), Position("e", self.sent)))

    async def take(self, reader: int, number: int) -> None:
        stream = self.streams[reader]
        for _ in range(number):
            if stream.drained:
                if stream.lagging:
                    self.connect()
                return
            item = await anext(stream)
            lost = range(item.after.seq + 1, item.until.seq + 1) if isinstance(item, Gap) else (item.seq,)
            self.read[reader] += lost

    async def finish(self) -> None:
        for reader, stream in enumerate(self.streams):
            while len(self.read[reader]) < self.head:
                if stream.drained:
                    self.connect()
                self.deliver(self.head)
                await self.take(reader, self.head)


@settings(max_examples=300, deadline=None)
@given(ACTIONS)
def test_every_reader_gets_each_number_once_in_order_as_an_event_or_within_a_gap(actions):
    async def run() -> None:
        simulation = Simulation()
        for action, argument in actions:
            match action:
                case "publish":
                    simulation.head += argument
                case "deliver":
                    simulation.deliver(argument)
                case "read":
                    await simulation.take(*argument)
                case "cut":
                    simulation.connect()
                case "trim":
                    simulation.oldest = min(simulation.oldest + argument, simulation.head + 1)
            assert all(len(stream._waiting) <= stream._limit + 1 for stream in simulation.streams)
        await simulation.finish()
        everything = list(range(1, simulation.head + 1))
        assert simulation.read == [everything, everything]

    asyncio.run(run())


async def test_gaps_that_nobody_reads_stay_one():
    simulation = Simulation()
    for _ in range(20):
        simulation.head += 2
        simulation.oldest = simulation.head + 1
        simulation.connect()
    assert [len(stream._waiting) for stream in simulation.streams] == [1, 1]
    await simulation.finish()
    assert simulation.read == [list(range(1, 41))] * 2


@given(st.dictionaries(st.text(max_size=20), st.none() | st.integers() | st.text(max_size=20), max_size=6))
def test_any_error_reply_becomes_an_error_with_a_reason(response):
    error = error_from(response)
    assert error.reason
    assert str(error)


def test_a_missing_field_is_named():
    error = error_from({"reason": "missing_tags", "message": "No tags.", "fix": "Give tags."})
    assert isinstance(error, InvalidPayload)
    assert error.field == "tags"


def test_a_copy_of_an_error_says_the_same():
    error = error_from({"reason": "version_conflict", "message": "It is 2.", "fix": "Read it again.", "version": 2})
    twin = copy(error)
    assert (type(twin), str(twin), twin.version) == (VersionConflict, str(error), 2)


def test_attempts_become_rare_but_never_rarer_than_the_bound_and_are_spread():
    quick, slow = Backoff(lambda: 0.0), Backoff(lambda: 1.0)
    assert [quick.next() for _ in range(8)] == [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert [slow.next() for _ in range(8)][-1] == LONGEST
    slow.reset()
    assert slow.next() == 0.25

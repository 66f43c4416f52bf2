"""Background work goes on whatever happens to one round of it, and ends when its owner says so."""

from __future__ import annotations

import asyncio

import pytest

from ringforge_core.errors import Unavailable
from ringforge_core.plugin import Periodic


@pytest.mark.parametrize("failure", [Unavailable("gone"), ValueError("a bug")])
async def test_a_round_that_fails_is_not_the_last(failure: Exception) -> None:
    rounds = 0
    third = asyncio.Event()

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            third.set()
        raise failure

    periodic = Periodic("test", work, 0.001)
    await periodic.start()
    await asyncio.wait_for(third.wait(), 10)
    await periodic.stop()


async def test_a_stop_ends_a_round_in_work_and_returns_when_it_has_ended() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    periodic = Periodic("test", work, 0.001)
    await periodic.start()
    await asyncio.wait_for(begun.wait(), 10)
    await periodic.stop()
    assert ended.is_set()
    await periodic.stop()

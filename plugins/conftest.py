"""For the tests of all plugins: they run on the loop that a hub has in production."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable

from ringforge_core.testkit.hub import new_event_loop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    return {"hub": new_event_loop}

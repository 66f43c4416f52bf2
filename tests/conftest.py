"""What tests of several parts share: a PostgreSQL for all tests of a process, a broker for the tests of a file."""

from __future__ import annotations

import gc
from asyncio import AbstractEventLoop
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ringforge_core.testkit.hub import new_event_loop
from ringforge_core.testkit.kafka import KafkaBroker, kafka_broker
from ringforge_core.testkit.postgres import PostgresServer, postgres_server
from ringforge_core.testkit.pulsar import PulsarServer, pulsar_server

settings.register_profile("unhurried", deadline=None)  # how fast something is, the benchmark says
settings.load_profile("unhurried")

USUAL_SECONDS = 1.0
SHARE_OF_TIMEOUT = 0.2
"""A test with a timeout of its own may take long, and usually takes this part of it."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """The loop that a hub has in production."""
    return {"hub": new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first: one that comes last would be waited for by all processes but one."""
    seconds: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        limit = item.get_closest_marker("timeout")
        seconds[item.path] += limit.args[0] * SHARE_OF_TIMEOUT if limit else USUAL_SECONDS
    items.sort(key=lambda item: -seconds[item.path])  # stable: a file's tests stay together, in their order


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: without it, each full collection of garbage looks at little."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaBroker]:
    """Ends with the file: a broker works in the background, also when no test of its process needs it any more."""
    with kafka_broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def pulsar() -> Iterator[PulsarServer]:
    """Ends with the file, as `kafka` does."""
    with pulsar_server() as server:
        yield server

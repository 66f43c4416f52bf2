"""The functions, deployed by the command to a real functions worker, process what the bus publishes.

The worker, its store of packages and its scheduling are Apache Pulsar's. The program that it starts for a Python function
is `function_instance.py`, since Pulsar's own comes only with its binary distribution. One worker serves all tests of this
file; it starts in about 8 s.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pulsar as pulsar_client
import pytest
from pulsar.asyncio import Client, Reader
from ringforge_eventbus_pulsar import PulsarEventBus

from ringforge_core.ports.event_bus import Event
from ringforge_core.testkit.event_bus import new_event, new_topic
from ringforge_core.testkit.pulsar import OwnPulsarServer, own_pulsar_server

SECONDS = 60.0
NAMESPACE = "functions-test"

Command = Callable[..., Awaitable[str]]
Read = Callable[[str], Awaitable[Any]]


@pytest.fixture(scope="module")
def worker() -> Iterator[OwnPulsarServer]:
    with own_pulsar_server(python_instance=Path(__file__).with_name("function_instance.py")) as server:
        yield server


@pytest.fixture
async def bus(running_on, worker: OwnPulsarServer) -> AsyncIterator[PulsarEventBus]:
    async with running_on(worker, namespace=NAMESPACE) as bus:
        yield bus


@pytest.fixture
def functions(worker: OwnPulsarServer, tmp_path: Path) -> Command:
    """Runs `ringforge pulsar functions …` with the hub's settings; returns what it printed, fails when it fails."""
    environment = {
        **os.environ,
        "RINGFORGE__CAPABILITIES__USE": "[]",
        "RINGFORGE__EVENT_BUS__USE": "pulsar",
        "RINGFORGE__EVENT_BUS__PULSAR__ADMIN_URL": worker.admin_url,
        "RINGFORGE__EVENT_BUS__PULSAR__NAMESPACE": NAMESPACE,
    }

    async def run(*words: str, fails: bool = False) -> str:
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringforge_core.cli", "pulsar", "functions", *words,
            env=environment, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed = (await command.communicate())[0].decode()
        assert bool(command.returncode) == fails, printed
        return printed

    return run


@pytest.fixture
async def reading(worker: OwnPulsarServer) -> AsyncIterator[Callable[[str], Awaitable[Reader]]]:
    """Opens a reader at a topic's first message, as soon as there is the topic."""
    client = Client(worker.service_url)

    async def reading(topic: str) -> Reader:
        return await client.create_reader(topic, pulsar_client.MessageId.earliest)

    yield reading
    await client.close()


async def next_json(reader: Reader) -> Any:
    return msgspec.json.decode((await asyncio.wait_for(reader.read_next(), SECONDS)).data())


def numbered(events: list[Event], first: int = 1) -> list[Event]:
    return [msgspec.structs.replace(event, epoch="test", seq=number) for number, event in enumerate(events, first)]


async def test_alerts_are_routed_to_a_topic(bus: PulsarEventBus, functions: Command, reading) -> None:
    topic = new_topic()
    await bus.ensure_topic(topic, retention=timedelta(hours=1), partitions=2)
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    sent = numbered(
        [
            new_event(topic, 0, kind="custom"),
            new_event(topic, 1, kind="alert", at=long_ago),
            new_event(topic, 2, kind="alert"),
            new_event(topic, 3, kind="task_failed"),
        ]
    )
    await bus.publish(sent)
    printed = await functions("deploy", "alert-filter")
    alerts = await reading(printed.split()[-1])
    assert (await next_json(alerts))["event_id"] == sent[2].event_id

    await functions("deploy", "alert-filter", "--set", 'kinds=["task_failed"]')
    more = numbered([new_event(topic, 4, kind="alert"), new_event(topic, 5, kind="task_failed")], first=5)
    await bus.publish(more)
    routed = await next_json(alerts)
    while routed["event_id"] == more[0].event_id:  # the first version was still running
        routed = await next_json(alerts)
    assert routed["event_id"] == more[1].event_id

    assert "alert-filter" in await functions("list")
    await functions("remove", "alert-filter")
    assert await functions("list") == ""
    assert "not deployed" in await functions("remove", "alert-filter", fails=True)


async def test_activity_is_rolled_up_by_agent_and_minute(bus: PulsarEventBus, functions: Command, reading) -> None:
    topic, minute = new_topic(), datetime(2026, 1, 31, 12, 5, tzinfo=UTC)
    await bus.ensure_topic(topic, retention=timedelta(days=3650), partitions=2)
    sent = numbered(
        [
            *(new_event(topic, n, agent_id="ag_1", kind="custom", at=minute + timedelta(seconds=n)) for n in range(5)),
            new_event(topic, 5, agent_id="ag_1", kind="alert", at=minute + timedelta(seconds=59)),
            new_event(topic, 6, agent_id="ag_1", kind="alert", at=minute + timedelta(seconds=60)),
            new_event(topic, 7, agent_id="ag_2", kind="alert", at=minute),
        ]
    )
    await bus.publish(sent)
    await bus.publish(sent[:3])  # as after a failure of the relay
    printed = await functions("deploy", "activity-rollups", "--set", "grace_seconds=0")
    rollups = await reading(printed.split()[-1])
    counted: dict[tuple[str, str], dict[str, int]] = {}
    async with asyncio.timeout(SECONDS):
        while sum(sum(kinds.values()) for kinds in counted.values()) < len(sent):
            record = await next_json(rollups)
            if record["fleet_id"] == topic.fleet_id:
                kinds = counted.setdefault((record["agent_id"], record["minute"]), {})
                for kind, count in record["kinds"].items():
                    kinds[kind] = kinds.get(kind, 0) + count
    assert counted == {
        ("ag_1", "2026-01-31T12:05:00Z"): {"custom": 5, "alert": 1},
        ("ag_1", "2026-01-31T12:06:00Z"): {"alert": 1},
        ("ag_2", "2026-01-31T12:05:00Z"): {"alert": 1},
    }
    await functions("remove", "activity-rollups")

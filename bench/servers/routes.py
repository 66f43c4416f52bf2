"""Ways from a publisher to a subscriber: over two hubs that share a PostgreSQL and a bus, and the bare client libraries."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from ringforge import Agent

from bench.servers.server import Contender
from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.kafka import kafka_broker
from ringforge_core.testkit.postgres import postgres_server
from ringforge_core.testkit.pulsar import pulsar_server

EVERY = 0.005
"""Seconds between two events: far below what any of them can do, so that nothing queues."""
SPEAKERS = 20
"""An agent's events run one after another, each until its commit: so many agents share the load."""
WARM_UP = 3.0
PATIENCE = 30.0


class Latencies(msgspec.Struct):
    """Milliseconds from the call that publishes to the arrival of each event: at the publisher's hub, and at the other."""

    here: list[float] = []
    there: list[float] = []


class Route(Contender):
    """`bus` names what carries the events."""

    bus: ClassVar[str]

    def missing(self) -> str | None:
        return None

    @abstractmethod
    def measure(self, seconds: float) -> Latencies:
        """Publish for so long, one event every `EVERY` seconds."""


class TwoHubs(Route):
    def measure(self, seconds: float) -> Latencies:
        with (
            tempfile.TemporaryDirectory(prefix="bench-hubs-") as name,
            postgres_server() as postgres,
            self.broker() as more,
        ):
            return asyncio.run(self._measure(Path(name), postgres, more, seconds))

    @contextmanager
    def broker(self) -> Iterator[dict[str, str]]:
        """The settings of a hub on this bus, whose broker runs meanwhile."""
        yield {"RINGFORGE__EVENT_BUS__USE": self.bus}

    async def _measure(self, directory: Path, postgres: Any, settings: dict[str, str], seconds: float) -> Latencies:
        settings = {"RINGFORGE__STORE__URL": await postgres.new_database(), **settings}
        async with AsyncExitStack() as stack:
            hubs = [HubProcess(directory / f"{number}", settings=settings) for number in range(2)]
            for hub in hubs:
                await hub.start()
                stack.push_async_callback(hub.stop)
            key = (await hubs[0].bootstrap()).agent_key

            async def agent(hub: HubProcess, name: str) -> Agent:
                made = Agent(hub.websocket_url, api_key=key, name=name, key_directory=None)
                return await stack.enter_async_context(made)

            speakers = [await agent(hubs[0], f"speaker-{number}") for number in range(SPEAKERS)]
            here, there = await agent(hubs[0], "here"), await agent(hubs[1], "there")
            found = Latencies()
            listening = [
                asyncio.create_task(_listen(each, note)) for each, note in ((here, found.here), (there, found.there))
            ]
            count = 0

            async def publish(speaker: Agent) -> None:
                await speaker.activity.broadcast("custom", repr(time.perf_counter()))

            await asyncio.gather(*(publish(speaker) for speaker in speakers))
            await _until(lambda: min(len(found.here), len(found.there)) >= SPEAKERS)
            await asyncio.sleep(WARM_UP)  # until the other hub has found the fleet's new topics
            found.here.clear()
            found.there.clear()
            async with asyncio.TaskGroup() as tasks:
                async for _ in _beats(seconds):
                    tasks.create_task(publish(speakers[count % SPEAKERS]))
                    count += 1
            await _until(lambda: min(len(found.here), len(found.there)) >= count)
            for task in listening:
                task.cancel()
        return found


async def _listen(agent: Agent, found: list[float]) -> None:
    async for event in agent.activity:
        found.append(_since(event.description))  # noqa: PERF401 — the others look at it meanwhile


class TwoHubsOnPostgres(TwoHubs):
    name = "hubs-local"
    title = "two hubs, PostgreSQL alone"
    bus = "local"


class TwoHubsOnKafka(TwoHubs):
    name = "hubs-kafka"
    title = "two hubs, Kafka"
    bus = "kafka"

    @contextmanager
    def broker(self) -> Iterator[dict[str, str]]:
        with super().broker() as settings, kafka_broker() as kafka:
            yield settings | {"RINGFORGE__EVENT_BUS__KAFKA__BOOTSTRAP_SERVERS": json.dumps([kafka.address])}


class TwoHubsOnPulsar(TwoHubs):
    name = "hubs-pulsar"
    title = "two hubs, Pulsar"
    bus = "pulsar"

    @contextmanager
    def broker(self) -> Iterator[dict[str, str]]:
        with super().broker() as settings, pulsar_server() as pulsar:
            yield settings | {
                "RINGFORGE__EVENT_BUS__PULSAR__SERVICE_URL": pulsar.service_url,
                "RINGFORGE__EVENT_BUS__PULSAR__ADMIN_URL": pulsar.admin_url,
            }


class Bare(Route):
    """The client library alone: one process produces and consumes, nothing is stored beside."""

    def measure(self, seconds: float) -> Latencies:
        return asyncio.run(self._measure(seconds))

    async def _measure(self, seconds: float) -> Latencies:
        found = Latencies()
        count = 0
        async with self.connected(found.there) as publish:
            async with asyncio.TaskGroup() as tasks:
                async for _ in _beats(seconds):
                    tasks.create_task(publish(repr(time.perf_counter()).encode()))
                    count += 1
            await _until(lambda: len(found.there) >= count)
        return found

    @abstractmethod
    def connected(self, found: list[float]) -> Any:
        """A context whose value publishes bytes; what arrives is noted in `found`."""


class BareNotify(Bare):
    name = "bare-notify"
    title = "asyncpg, NOTIFY alone"
    bus = "local"

    @asynccontextmanager
    async def connected(self, found: list[float]) -> AsyncIterator[Callable[[bytes], Any]]:
        import asyncpg

        with postgres_server() as postgres:
            sender, listener = await asyncpg.connect(postgres.url), await asyncpg.connect(postgres.url)
            await listener.add_listener("bench", lambda *note: found.append(_since(note[3])))
            turn = asyncio.Lock()

            async def publish(body: bytes) -> None:
                async with turn:
                    await sender.execute("SELECT pg_notify('bench', $1)", body.decode())

            yield publish
            await sender.close()
            await listener.close()


class BareKafka(Bare):
    name = "bare-kafka"
    title = "aiokafka alone"
    bus = "kafka"

    @asynccontextmanager
    async def connected(self, found: list[float]) -> AsyncIterator[Callable[[bytes], Any]]:
        from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic

        with kafka_broker() as kafka:
            topic = f"bench-{time.time_ns()}"
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
            await admin.start()
            await admin.create_topics([NewTopic(topic, num_partitions=6, replication_factor=1)])
            consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.address, auto_offset_reset="earliest")
            producer = AIOKafkaProducer(bootstrap_servers=kafka.address, acks="all", enable_idempotence=True)
            await consumer.start()
            await producer.start()

            async def consume() -> None:
                async for record in consumer:
                    found.append(_since(record.value))  # noqa: PERF401 — as above

            task = asyncio.create_task(consume())
            yield lambda body: producer.send_and_wait(topic, body, key=body)
            task.cancel()
            for part in (producer, consumer):
                await part.stop()
            await admin.close()


class BarePulsar(Bare):
    name = "bare-pulsar"
    title = "pulsar-client alone"
    bus = "pulsar"

    @asynccontextmanager
    async def connected(self, found: list[float]) -> AsyncIterator[Callable[[bytes], Any]]:
        import pulsar
        import pulsar.asyncio

        with pulsar_server() as server:
            quiet = pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull)  # else it logs to stdout
            client = pulsar.asyncio.Client(server.service_url, logger=quiet)
            topic = f"persistent://public/default/bench-{time.time_ns()}"
            consumer = await client.subscribe(topic, "bench")
            producer = await client.create_producer(topic)

            async def consume() -> None:
                while True:
                    message = await consumer.receive()
                    found.append(_since(message.data()))
                    await consumer.acknowledge(message)

            task = asyncio.create_task(consume())
            yield producer.send
            task.cancel()
            await client.close()


def _since(stamp: str | bytes) -> float:
    return 1_000 * (time.perf_counter() - float(stamp))


async def _beats(seconds: float) -> AsyncIterator[None]:
    begun = time.perf_counter()
    for number in range(int(seconds / EVERY)):
        await asyncio.sleep(max(0.0, begun + number * EVERY - time.perf_counter()))
        yield


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 — what arrives is noted in lists
            await asyncio.sleep(0.01)

"""What tests of several parts share: servers, started once for the tests of a process that need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ringforge_core.testkit.kafka import KafkaBroker, kafka_broker
from ringforge_core.testkit.postgres import PostgresServer, postgres_server
from ringforge_core.testkit.pulsar import PulsarServer, pulsar_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    with kafka_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def pulsar() -> Iterator[PulsarServer]:
    with pulsar_server() as server:
        yield server

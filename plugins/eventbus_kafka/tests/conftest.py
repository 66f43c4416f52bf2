"""One real Apache Kafka for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ringforge_core.testkit.kafka import KafkaBroker, kafka_broker


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    with kafka_broker() as broker:
        yield broker

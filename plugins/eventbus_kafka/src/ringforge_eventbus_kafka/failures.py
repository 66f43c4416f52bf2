"""Kafka's errors as those of core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import ConsumerStoppedError, IllegalOperation, KafkaError

from ringforge_core.errors import Unavailable

FAILURES = (KafkaError, IllegalOperation, ConsumerStoppedError, OSError, TimeoutError)
"""What aiokafka raises when a broker is gone, refuses, or does not answer in time."""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise what fails inside as `Unavailable`; `doing` completes the sentence "Kafka failed to …"."""
    try:
        yield
    except FAILURES as error:
        raise Unavailable(
            f"Kafka failed to {doing}: {type(error).__name__} {error}".rstrip(),
            fix="Check that [event_bus.kafka] bootstrap_servers names brokers that run and let this hub in.",
        ) from error

"""What swaps the event bus of a hub under test: the settings for each, with a real broker behind it."""

from __future__ import annotations

import json

import pytest

from ringforge_core.testkit.kafka import KafkaBroker
from ringforge_core.testkit.pulsar import PulsarServer

EVENT_BUSES = ("local", "kafka", "pulsar")


def event_bus_settings(name: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a hub on this bus; starts the broker that it needs, once a file."""
    if name == "kafka":
        kafka: KafkaBroker = request.getfixturevalue("kafka")
        specific = {"RINGFORGE__EVENT_BUS__KAFKA__BOOTSTRAP_SERVERS": json.dumps([kafka.address])}
    elif name == "pulsar":
        pulsar: PulsarServer = request.getfixturevalue("pulsar")
        specific = {
            "RINGFORGE__EVENT_BUS__PULSAR__SERVICE_URL": pulsar.service_url,
            "RINGFORGE__EVENT_BUS__PULSAR__ADMIN_URL": pulsar.admin_url,
        }
    else:
        specific = {}
    return {"RINGFORGE__EVENT_BUS__USE": name, **specific}

"""The event bus on Apache Kafka: `[event_bus] use = "kafka"`.

Every fleet has its topics `ringforge.<fleet>.<name>`. What the hub commits is published by the relay, at least once;
Kafka keeps it for as long as the plan says, carries it to every node, and answers replays. `docs/event-bus.md` tells how
to run it.

    settings.py     the table [event_bus.kafka]
    connection.py   how every client connects: servers, TLS, SASL
    failures.py     Kafka's errors as those of core
    quiet.py        less of aiokafka in the log
    records.py      an event as a record, and back
    layout.py       the settings of a topic in Kafka
    topics.py       create, change, list and drop topics
    publisher.py    the bounded way from the relay to the log
    producer.py     connect a producer, and give one up
    delivery.py     one handler and its task
    broadcast.py    a subscriber that sees everything
    group.py        a subscriber that shares the events with its group
    log.py          read the past, and forget it
    readers.py      the consumers that replays borrow
    page.py         what a replay returns, while the log is read
    bus.py          the port's verbs
"""

from ringforge_core.plugin import Adapter, hookimpl
from ringforge_core.ports.event_bus import EventBus
from ringforge_eventbus_kafka.bus import KafkaEventBus
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings

__all__ = ["KafkaEventBus", "KafkaEventBusSettings", "ringforge_adapter"]


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=EventBus, settings_type=KafkaEventBusSettings, create=KafkaEventBus)

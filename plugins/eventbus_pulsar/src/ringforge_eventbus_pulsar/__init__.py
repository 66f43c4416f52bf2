"""The event bus on Apache Pulsar: `[event_bus] use = "pulsar"`.

Every topic of every fleet is a partitioned topic of one namespace. A message is one whole event; its key is the event's,
so what has one key keeps its order. Doubles, which at-least-once publishing makes, are told by `event_id`.

    settings.py     the table [event_bus.pulsar]
    bus.py          the port's verbs
    connection.py   the client, its credentials, and what its errors mean
    admin.py        the administration over HTTP: namespaces, topics, policies
    topics.py       how topics are laid out on the broker
    notes.py        what is noted about a topic there, for all nodes
    names.py        what a topic is called there
    record.py       an event as a message
    producers.py    sending, within bounds
    discovery.py    which topics there are
    subscriber.py   one subscriber or member of a group: the partitions that it reads, and its handler
    subscribing.py  where it begins to read
    source.py       one partition as one subscriber reads it: a reader, or a Key_Shared consumer of a group
    delivery.py     what arrived, handed to a handler until it succeeds
    history.py      replay, page by page
    past.py         the partitions of a topic merged into one stream
    credentials.py  who the hub is to the administration
    functions/      Pulsar Functions: activity rollups and an alert filter, and the command that deploys them
"""

from ringforge_core.plugin import Adapter, hookimpl
from ringforge_core.ports.event_bus import EventBus
from ringforge_eventbus_pulsar.bus import PulsarEventBus
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings

__all__ = ["PulsarEventBus", "PulsarEventBusSettings", "ringforge_adapter"]


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=EventBus, settings_type=PulsarEventBusSettings, create=PulsarEventBus)

"""The event bus without a broker: `[event_bus] use = "local"`.

The log is the hub's own database: every event was committed together with its change before it came here, so `replay`
reads the store and `trim` deletes from it. What this adapter adds is the way from a commit to this process's subscribers.

    settings.py    the table [event_bus.local]
    bus.py         the port's verbs
    consumer.py    what one subscriber, or one group, still has to see
    member.py      one handler and its task
    retention.py   how long each topic is kept, and the worker that trims
"""

from ringforge_core.plugin import Adapter, hookimpl
from ringforge_core.ports.event_bus import EventBus
from ringforge_eventbus_local.bus import LocalEventBus
from ringforge_eventbus_local.settings import LocalEventBusSettings

__all__ = ["LocalEventBus", "LocalEventBusSettings", "ringforge_adapter"]


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=EventBus, settings_type=LocalEventBusSettings, create=LocalEventBus)

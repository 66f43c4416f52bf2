"""What is measured, in the order in which it is run."""

from typing import Any

from bench.scenarios.direct_messages import DirectMessages
from bench.scenarios.durable import DurableWrites
from bench.scenarios.event_bus import EventBus
from bench.scenarios.fanout import EphemeralFanOut, FanOut, FanOutFrom32
from bench.scenarios.half_load import HalfLoad
from bench.scenarios.idle import Idle1000, Idle10000
from bench.scenarios.joins import Joins
from bench.scenarios.requests import Requests
from bench.scenarios.scenario import Scenario
from bench.scenarios.shared_memory import SharedMemory
from bench.scenarios.slow_readers import SlowReaders
from bench.scenarios.start import Start
from bench.scenarios.two_hubs import TwoHubs

ALL: tuple[Scenario[Any], ...] = (
    FanOut(),
    EphemeralFanOut(),
    FanOutFrom32(),
    HalfLoad(),
    Requests(),
    DurableWrites(),
    SharedMemory(),
    DirectMessages(),
    Joins(),
    Idle1000(),
    Idle10000(),
    SlowReaders(),
    Start(),
    EventBus(),
    TwoHubs(),
)

"""What can be measured."""

from bench.servers.event_buses import Aiokafka, HubOnKafka, HubOnPulsar, KafkaAdapter, PulsarAdapter, PulsarClient
from bench.servers.hub import Hub
from bench.servers.nats import Nats
from bench.servers.node_ws import NodeWs
from bench.servers.reference import Reference
from bench.servers.routes import (
    BareKafka,
    BareNotify,
    BarePulsar,
    TwoHubsOnKafka,
    TwoHubsOnPostgres,
    TwoHubsOnPulsar,
)
from bench.servers.server import Contender

HUB = Hub()
REFERENCE = Reference()
PEERS: tuple[Contender, ...] = (Nats(), NodeWs())
BUSES: tuple[Contender, ...] = (
    HubOnKafka(), KafkaAdapter(), Aiokafka(), HubOnPulsar(), PulsarAdapter(), PulsarClient(),
)  # fmt: skip
"""Measured by the scenario event-bus alone."""

ROUTES: tuple[Contender, ...] = (
    TwoHubsOnPostgres(), BareNotify(), TwoHubsOnKafka(), BareKafka(), TwoHubsOnPulsar(), BarePulsar(),
)  # fmt: skip
"""Measured as a whole, by the scenario two-hubs."""

ALL: tuple[Contender, ...] = (HUB, REFERENCE, *PEERS, *BUSES, *ROUTES)

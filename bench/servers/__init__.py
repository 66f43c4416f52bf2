"""What can be measured."""

from bench.servers.hub import Hub
from bench.servers.nats import Nats
from bench.servers.node_ws import NodeWs
from bench.servers.reference import Reference
from bench.servers.server import Server

HUB = Hub()
REFERENCE = Reference()
PEERS: tuple[Server, ...] = (Nats(), NodeWs())

ALL: tuple[Server, ...] = (HUB, REFERENCE, *PEERS)

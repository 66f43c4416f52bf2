"""The hubs as a person looks at them."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from ringforge_core.nodes.tables import nodes
from ringforge_core.ports.store import Store


class Node(msgspec.Struct, frozen=True):
    """One hub; `seen_at` is its last sign of life, by its own clock. On SQLite that is its start."""

    name: str
    url: str
    version: str
    connections: int
    draining: bool
    started_at: datetime
    seen_at: datetime


async def list_nodes(store: Store) -> list[Node]:
    """All hubs that are known, by name."""
    query = sa.select(*(nodes.c[name] for name in Node.__struct_fields__)).order_by(nodes.c.name)
    rows = await store.read(lambda connection: connection.execute(query).mappings().all())
    return [Node(**row) for row in rows]

"""An agent goes away from its fleet: it is moved or deleted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ringforge_core.mesh.groups.actor import Actor
from ringforge_core.ports.store import Transaction


class Departure(msgspec.Struct, frozen=True):
    """The agent is of `actor.tenant_id`."""

    actor: Actor
    agent_id: str


def leave_all_groups(tx: Transaction, departures: Sequence[Departure]) -> None:
    """Take the agents out of every group, in the transaction that moves or deletes them and before it does.

    The fleet hears of it, and what they owned is handed over or dissolved.
    """
    raise NotImplementedError

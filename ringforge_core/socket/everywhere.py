"""Pushes that reach an agent at whichever hub it is: those of this hub at once, those of the others by a signal."""

from __future__ import annotations

import msgspec

from ringforge_core.plugin.messages import Push, encode_message
from ringforge_core.ports.store import Store
from ringforge_core.socket.rooms import Rooms

SIGNAL = "push"


class Forwarded(msgspec.Struct, array_like=True, omit_defaults=True):
    """An encoded push to an agent, or without one to the fleet. With a `code`: close the agent's connections."""

    fleet_id: str = ""
    agent_id: str = ""
    event: str = ""
    payload: str = ""
    code: int = 0


class Everywhere:
    """The capabilities' `Pushes`."""

    def __init__(self, rooms: Rooms, store: Store) -> None:
        self._rooms = rooms
        self._store = store
        self._decoder = msgspec.json.Decoder(Forwarded)
        if store.shared:
            store.on_signal(SIGNAL, self._forwarded)

    def to_fleet(self, fleet_id: str, push: Push, *, everywhere: bool = True) -> None:
        payload = encode_message(push)
        self._rooms.to_fleet(fleet_id, push.wire, payload)
        if everywhere:
            self._forward(Forwarded(fleet_id, "", push.wire, payload.decode()))

    def to_agent(self, fleet_id: str, agent_id: str, push: Push) -> int:
        payload = encode_message(push)
        self._forward(Forwarded(fleet_id, agent_id, push.wire, payload.decode()))
        return self._rooms.to_agent(fleet_id, agent_id, push.wire, payload)

    def close_agent(self, agent_id: str, *, code: int, reason: str) -> int:
        self._forward(Forwarded(agent_id=agent_id, payload=reason, code=code))
        return self._rooms.close_agent(agent_id, code=code, reason=reason)

    def move_agent(self, agent_id: str, fleet_id: str) -> int:
        """The other hubs see the move in the database, see `RevocationWatch`."""
        return self._rooms.move_agent(agent_id, fleet_id)

    def _forward(self, forwarded: Forwarded) -> None:
        if self._store.shared:
            self._store.signal(SIGNAL, msgspec.json.encode(forwarded))

    def _forwarded(self, body: bytes) -> None:
        pushed = self._decoder.decode(body)
        if pushed.code:
            self._rooms.close_agent(pushed.agent_id, code=pushed.code, reason=pushed.payload)
        elif pushed.agent_id:
            self._rooms.to_agent(pushed.fleet_id, pushed.agent_id, pushed.event, pushed.payload.encode())
        else:
            self._rooms.to_fleet(pushed.fleet_id, pushed.event, pushed.payload.encode())

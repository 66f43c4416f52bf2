"""Does what an agent's event does, for somebody who has no socket: the operator."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from ringforge_core.errors import Refused
from ringforge_core.plugin.capability import AgentSession, Call
from ringforge_core.plugin.messages import Push, Reply, encode_message
from ringforge_core.ports.store import Charge, Once
from ringforge_core.socket.dispatch import Dispatcher


class Nowhere:
    """The `Member` of who has no channel."""

    def __init__(self, agent: AgentSession) -> None:
        self.agent = agent

    def push(self, push: Push) -> None:
        """Nobody gets it."""

    def send(self, event: str, payload: bytes) -> None:
        """Nobody gets it."""

    def unsent(self) -> int | None:
        return None


async def speak(
    dispatcher: Dispatcher, agent: AgentSession, name: str, payload: Mapping[str, Any], *, person: str,
    once: Once | None = None,
) -> Any:  # fmt: skip
    """The payload of the event's reply, None when it has none. Quotas are charged, and rates are those of an agent: each
    `person` of a tenant counts as one, as all of them speak by one agent's id. `once` is for an event that is idempotent.

    Raises `Refused` (`unknown_event`), `LimitReached`, `Backpressure`, and what the capability refuses.
    """
    event = dispatcher.events.get(name)
    if event is None:
        raise Refused(f"No capability of this hub handles {name}.", reason="unknown_event", fix="", event=name)
    counted = msgspec.structs.replace(agent, agent_id=f"{agent.agent_id} {agent.tenant_id} {person}")
    if refusal := dispatcher.refusal(counted, event):
        raise refusal
    request = event.decode(msgspec.Raw(msgspec.json.encode(payload)))
    charges = (Charge(agent.tenant_id, event.counts),) if event.counts is not None else ()
    result = event.handle(Call(agent, Nowhere(agent), once if event.declaration.idempotent else None, charges), request)
    if inspect.isawaitable(result):
        result = await result
    return _payload_of(result, event.declaration.reply)


def _payload_of(result: Any, declared: type[Reply] | None) -> Any:
    if isinstance(result, Reply):
        declared, text = type(result), encode_message(result)
    elif isinstance(result, msgspec.Raw):
        text = bytes(result)
    else:
        return None
    answer = msgspec.json.decode(text)
    return answer["payload"] if declared is not None and declared.wire is not None else answer

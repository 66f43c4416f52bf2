"""From a frame to the declared event, and back to a reply.

The events of a channel run one after another. What a handler returns is answered within the same tick; a coroutine, which
an `async def` always returns, runs as a task that the dispatcher owns, and what comes meanwhile waits in the channel.
Nothing that a client sends ends a channel.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable
from time import perf_counter
from types import CoroutineType
from typing import Any

import msgspec
import structlog

from ringforge_core.errors import Backpressure, LimitReached, PluginError, Refused, RingforgeError, Unavailable
from ringforge_core.limits import RESOURCES
from ringforge_core.limits.agent_rates import AgentRates
from ringforge_core.limits.rates import OFF, parse_rates
from ringforge_core.plugin.capability import AgentSession, Call, Capability, EventDeclaration
from ringforge_core.plugin.messages import Reply, encode_message
from ringforge_core.ports.store import Charge, Once
from ringforge_core.socket.channel import Channel
from ringforge_core.socket.connection import POLICY, TOO_INSISTENT
from ringforge_core.socket.decoding import RequestDecoder, unwrap
from ringforge_core.socket.frames import Frame, json_text, reply
from ringforge_core.socket.measures import EventMeasure, SocketMeasures

REPLY_SECONDS = 5.0
"""Every push is answered within this time, or with `unavailable`."""

log = structlog.get_logger(__name__)


class BoundEvent:
    """A declaration with the capability instance that handles it."""

    __slots__ = ("counts", "declaration", "decode", "handle", "measure", "name", "rate")

    def __init__(self, declaration: EventDeclaration, capability: Capability[Any], measure: EventMeasure) -> None:
        self.declaration = declaration
        self.name = declaration.name
        self.counts = _checked_counts(declaration)
        self.rate = _checked_rate(declaration)
        self.handle: Callable[[Call, Any], Any] = getattr(capability, declaration.method)
        self.decode = RequestDecoder(declaration.request)
        self.measure = measure


class Dispatcher:
    """Knows every declared event of the loaded capabilities; owns the tasks of requests in work.

    `overloaded` tells why nothing may be changed right now.
    """

    def __init__(
        self, capabilities: Iterable[Capability[Any]], measures: SocketMeasures, rates: AgentRates,
        overloaded: Callable[[], Backpressure | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.events: dict[str, BoundEvent] = {}
        self._overloaded = overloaded
        self._rates = rates
        self._unknown = measures.of("unknown")
        self._running: dict[Channel, tuple[float, asyncio.Task[None]]] = {}
        """Since when each busy channel's request is in work, and its task; the oldest first."""
        for capability in capabilities:
            for declaration in capability.declarations():
                if declaration.name in self.events:
                    raise PluginError(
                        f"Two capabilities declare the event {declaration.name}.",
                        fix="Take one of them out of [capabilities] use.",
                    )
                self.events[declaration.name] = BoundEvent(declaration, capability, measures.of(declaration.name))

    def receive(self, channel: Channel, frame: Frame) -> None:
        """Take a message of a joined channel; it waits when another one is in work."""
        if channel.busy:
            channel.wait(frame)
        else:
            self._start(channel, frame)

    def release(self, channel: Channel) -> None:
        """The channel's work is done: go on with what waited."""
        channel.busy = False
        while not channel.busy and not channel.closed and (frame := channel.next()) is not None:
            self._start(channel, frame)

    def refusal(self, agent: AgentSession, event: BoundEvent) -> LimitReached | Backpressure | None:
        """Count the event by the agent's rates; why it may not be done right now, if so."""
        return self._rates.check(agent, event.name, event.rate) or (
            self._overloaded() if event.declaration.idempotent else None
        )

    def cancel_overdue(self) -> None:
        """Answer requests that took longer than `REPLY_SECONDS` with an error. The hub's clock calls it each second."""
        due = perf_counter() - REPLY_SECONDS
        for started, task in list(self._running.values()):
            if started > due:
                break
            task.cancel("overdue")

    async def stop(self) -> None:
        """Wait for the requests in work, at most for `REPLY_SECONDS`."""
        if self._running:
            _, late = await asyncio.wait([task for _, task in self._running.values()], timeout=REPLY_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _start(self, channel: Channel, frame: Frame) -> None:
        if frame.event == "phx_leave":
            return channel.connection.leave(channel, frame)
        event = self.events.get(frame.event)
        if event is None:
            if too_many := self._rates.check(channel.agent, frame.event, None):
                _answer_error(channel, frame, too_many)
                return self._after_refusal(channel)
            self._unknown.errors["unknown_event"] += 1
            error = Refused(f"No capability handles {frame.event[:100]}.", reason="unknown_event", event=frame.event[:100])
            return _answer_error(channel, frame, error)
        started = perf_counter()
        try:
            if refusal := self.refusal(channel.agent, event):
                _fail(channel, frame, event, refusal)
                return self._after_refusal(channel) if isinstance(refusal, LimitReached) else None
            call, request = _prepare(channel, frame, event)
            result = event.handle(call, request)
            if type(result) is not CoroutineType:
                return self._finish(channel, frame, event, started, result)
        except Exception as error:  # noqa: BLE001 — whatever a handler raises is answered, never the channel's end
            return _fail(channel, frame, event, error)
        channel.busy = True
        task = asyncio.get_running_loop().create_task(self._run(channel, frame, event, started, result))
        self._running[channel] = started, task
        return None

    def _after_refusal(self, channel: Channel) -> None:
        if self._rates.exhausts(channel.agent):
            channel.connection.close(POLICY, TOO_INSISTENT)

    async def _run(self, channel: Channel, frame: Frame, event: BoundEvent, started: float, work: Any) -> None:
        try:
            self._finish(channel, frame, event, started, await work)
        except asyncio.CancelledError:
            _fail(channel, frame, event, Unavailable("The hub could not answer in time; the outcome is not known."))
        except Exception as error:  # noqa: BLE001 — as above
            _fail(channel, frame, event, error)
        finally:
            del self._running[channel]
            self.release(channel)

    def _finish(self, channel: Channel, frame: Frame, event: BoundEvent, started: float, result: Any) -> None:
        event.measure.note(perf_counter() - started)
        if isinstance(result, Reply):
            response = encode_message(result)
        elif isinstance(result, msgspec.Raw):
            response = bytes(result)
        else:
            return  # an event without a reply
        _answer(channel, frame, b"ok", response)


def _checked_counts(declaration: EventDeclaration) -> str | None:
    if declaration.counts not in (None, *RESOURCES):
        raise PluginError(
            f"{declaration.name} counts {declaration.counts}, which is no quota.",
            fix=f"Count one of {', '.join(RESOURCES)}.",
        )
    return declaration.counts


def _checked_rate(declaration: EventDeclaration) -> str | None:
    try:
        parse_rates(declaration.rate or OFF)
    except ValueError as error:
        raise PluginError(f"The rate of {declaration.name}: {error}", fix='Write it as "50/minute".') from None
    return declaration.rate


def _prepare(channel: Channel, frame: Frame, event: BoundEvent) -> tuple[Call, Any]:
    inner, key = unwrap(frame.payload)
    request = event.decode(inner)
    once = None
    if key is not None and event.declaration.idempotent:
        agent = channel.agent
        fingerprint = hashlib.sha256(msgspec.json.encode(request)).digest()
        once = Once(agent.tenant_id, agent.agent_id, event.declaration.name, key, fingerprint)
    charges = (Charge(channel.agent.tenant_id, event.counts),) if event.counts is not None else ()
    return Call(channel.agent, channel, once, charges), request


def _fail(channel: Channel, frame: Frame, event: BoundEvent, error: Exception) -> None:
    if not isinstance(error, RingforgeError):
        error_id = secrets.token_hex(8)
        log.error("event_failed", event=event.declaration.name, error_id=error_id, exc_info=error)
        error = RingforgeError(
            "The hub could not do this.", fix=f"Tell the operator the error id {error_id}.", error_id=error_id
        )
    event.measure.errors[error.reason] += 1
    _answer_error(channel, frame, error)


def _answer_error(channel: Channel, frame: Frame, error: RingforgeError) -> None:
    _answer(channel, frame, b"error", json_text(error.as_reply()))


def _answer(channel: Channel, frame: Frame, status: bytes, response: bytes) -> None:
    if not channel.closed:
        channel.connection.send(reply(channel.join_ref, bytes(frame.ref), channel.topic, status, response))

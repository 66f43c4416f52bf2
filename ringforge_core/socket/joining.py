"""The way into a fleet: credentials, topic, profile, the reply, what was missed, and then the capabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from ringforge_core.errors import Forbidden, InvalidPayload, Refused, RingforgeError, Unauthenticated
from ringforge_core.identity import parse_join_credentials
from ringforge_core.plugin.capability import AgentSession, Capability
from ringforge_core.plugin.messages import Request
from ringforge_core.socket.channel import Channel
from ringforge_core.socket.connection import POLICY, TOO_INSISTENT, Connection
from ringforge_core.socket.decoding import RequestDecoder, check_depth
from ringforge_core.socket.delivery import Resumed, ResumeFrom
from ringforge_core.socket.frames import Frame, closed, json_text, reply

if TYPE_CHECKING:
    from ringforge_core.socket.gateway import Gateway
    from ringforge_core.socket.rooms import Room

LOBBY = "fleet:lobby"
HEARTBEAT_MS = 30_000

log = structlog.get_logger(__name__)


class Profile(Request):
    """The fields of a join that change the agent's stored profile, and where to resume from."""

    name: str | None = None
    framework: str | None = None
    capabilities: list[str] | None = None
    model: str | None = None


class Joined(msgspec.Struct, omit_defaults=True):
    """The reply to a join. `seq` is the newest number of the fleet's log: what comes now is newer."""

    agent_id: str
    fleet_id: str
    topic: str
    name: str | None
    heartbeat_ms: int
    server: str
    epoch: str
    seq: int
    resume: Resumed | None = None


class Joiner:
    """Runs joins, one task each; the gateway owns the tasks."""

    def __init__(self, gateway: Gateway, capabilities: Sequence[Capability[Any]]) -> None:
        self._gateway = gateway
        self._profile = RequestDecoder(Profile)
        self._resume = msgspec.json.Decoder(ResumeFrom)
        self._capabilities = [
            (capability, RequestDecoder(capability.join_type) if capability.join_type else None)
            for capability in capabilities
        ]

    async def join(self, connection: Connection, channel: Channel, frame: Frame, replaced: Channel | None) -> None:
        """Answer the join. A refusal or a fault answers with an error and leaves the connection open."""
        try:
            await self._join(connection, channel, frame, replaced)
        except Exception as error:  # a join that fails is answered, never the connection's end
            if not isinstance(error, RingforgeError):
                log.error("join_failed", exc_info=error)
                error = RingforgeError("The join failed inside the hub.", reason="join_crashed")
            if not channel.joined:
                connection.refuse_join(frame, error)
                self._end_replaced(replaced)
            connection.end(channel)
        finally:
            self._gateway.dispatcher.release(channel)

    async def _join(self, connection: Connection, channel: Channel, frame: Frame, replaced: Channel | None) -> None:
        gateway = self._gateway
        payload = _object(frame.payload)
        agent = await self._authenticate(connection, payload)
        if refusal := gateway.limits.agents.check(agent, frame.event, None):
            if gateway.limits.agents.exhausts(agent):
                connection.close(POLICY, TOO_INSISTENT)
            raise refusal
        _check_topic(frame.topic, agent)
        text, resume = self._read(frame.payload, payload)
        profile: Any = self._profile(text)
        fields = [(capability, decoder(text) if decoder else None) for capability, decoder in self._capabilities]
        await gateway.open_session(connection)
        agent = await gateway.admission.update_profile(
            agent, name=profile.name, framework=profile.framework, capabilities=profile.capabilities,
            model=profile.model,
        )  # fmt: skip
        connection.agent = channel.agent = agent
        async with gateway.rooms.arrive(agent) as room:
            # What the agent did at another hub is known here before it goes on: its messages keep their order.
            await gateway.delivery.follower.reach_head(room)
            resumed, after = (None, 0)
            if resume is not None:
                resumed, after = await gateway.delivery.resume(resume, agent, room)
            if not connection.opened or channel.closed:
                return
            self._accept(channel, frame, room, resumed)
            self._end_replaced(replaced)
            if resumed is not None:
                await gateway.delivery.catch_up(channel, room, after)
            if not connection.opened or channel.closed:
                return
            gateway.rooms.enter(room, channel)
            channel.joined = True
        for capability, decoded in fields:
            if channel.closed:
                return
            channel.entered += 1
            await capability.on_join(channel, decoded)

    async def _authenticate(self, connection: Connection, payload: dict[str, Any]) -> AgentSession:
        credentials = parse_join_credentials(payload, connect=connection.credentials)
        if connection.agent is not None:
            if credentials is not None and credentials.api_key is not None:
                await self._check_same_tenant(connection, connection.agent, credentials.api_key)
            return connection.agent
        if credentials is None:
            raise Unauthenticated(
                "This socket has not authenticated yet.", reason="missing_credentials",
                fix='Send {"api_key": "rf_live_…", "agent": {"name": "…"}} in the join.',
            )  # fmt: skip
        agent = await self._gateway.authenticate(credentials, address=connection.address, method="join")
        if connection.agent is not None:  # a join of another topic came first
            if connection.agent.agent_id != agent.agent_id:
                raise Forbidden("This socket belongs to another agent.", reason="identity_mismatch")
            return connection.agent
        self._gateway.authenticated(connection, agent)
        return agent

    async def _check_same_tenant(self, connection: Connection, agent: AgentSession, api_key: str) -> None:
        holder = await self._gateway.check_key(api_key, address=connection.address, method="join")
        if holder.tenant_id != agent.tenant_id:
            raise Forbidden(
                "The socket is authenticated for another tenant.", reason="identity_mismatch",
                fix="Leave the credentials out of the join, or open a new socket.",
            )  # fmt: skip

    def _read(self, raw: msgspec.Raw, payload: dict[str, Any]) -> tuple[msgspec.Raw, ResumeFrom | None]:
        inner = payload.get("payload")
        fields = inner if isinstance(inner, dict) else payload
        resume = payload.get("resume", fields.get("resume"))
        if resume is not None:
            try:
                resume = msgspec.convert(resume, ResumeFrom)
            except msgspec.ValidationError as error:
                raise InvalidPayload(
                    'resume must be {"epoch": text, "seq": number}.', field="resume", fix="Send the last you saw."
                ) from error
        return (msgspec.Raw(json_text(fields)) if fields is inner else raw), resume

    def _accept(self, channel: Channel, frame: Frame, room: Room, resumed: Resumed | None) -> None:
        agent = channel.agent
        joined = Joined(
            agent_id=agent.agent_id, fleet_id=agent.fleet_id, topic=f"fleet:{agent.fleet_id}", name=agent.name,
            heartbeat_ms=HEARTBEAT_MS, server=self._gateway.server, epoch=room.epoch, seq=room.seq, resume=resumed,
        )  # fmt: skip
        channel.connection.send(
            reply(channel.join_ref, bytes(frame.ref), channel.topic, b"ok", msgspec.json.encode(joined))
        )

    def _end_replaced(self, replaced: Channel | None) -> None:
        if replaced is not None and not replaced.closed:
            replaced.connection.send(closed(replaced.join_ref, replaced.topic))
            replaced.connection.end(replaced)


def _object(payload: msgspec.Raw) -> dict[str, Any]:
    check_depth(bytes(payload))
    try:
        decoded = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidPayload("The join's payload is not valid JSON.", field="payload") from error
    if not isinstance(decoded, dict):
        raise InvalidPayload("The join's payload must be a JSON object.", field="payload")
    return decoded


def _check_topic(topic: str, agent: AgentSession) -> None:
    if topic in (LOBBY, f"fleet:{agent.fleet_id}"):
        return
    if topic.startswith("fleet:"):
        raise Forbidden(
            "Your agent belongs to another fleet.", reason="fleet_id_mismatch", your_fleet_id=agent.fleet_id,
            fix=f"Join fleet:lobby or fleet:{agent.fleet_id}.",
        )  # fmt: skip
    raise Refused(f"There is no topic {topic[:100]}.", reason="unmatched topic", fix="Join fleet:lobby.")

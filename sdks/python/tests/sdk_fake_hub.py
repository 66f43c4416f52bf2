"""A small faithful hub: Phoenix V2, a fleet log that is resumed, and faults on demand."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Request, Response, Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]


class Refusal(Exception):
    """An error reply of the fake hub."""


class Member:
    """One joined connection of an agent: gets the log from `seq` on."""

    def __init__(self, connection: ServerConnection, agent: Json, join_ref: str, seq: int) -> None:
        self.connection = connection
        self.agent = agent
        self.join_ref = join_ref
        self.seq = seq


class FakeHub:
    """Phoenix V2, fleet log with `(epoch, seq)`, resume and gaps, idempotency, presence, activity, replay."""

    api_key = "rf_test_0123456789abcdefghijklmnopqrstuv"

    def __init__(self) -> None:
        self.port = 0
        self.epoch = "first"
        self.log: list[Json] = []
        self.oldest = 1
        self.heartbeat_ms = 30_000
        self.members: dict[ServerConnection, Member] = {}
        self.agents: dict[str, Json] = {}
        self.followed: dict[str, set[str]] = {}
        self.replies: dict[tuple[str, str, str], Json] = {}
        self.seen: Counter[str] = Counter()
        """Events that came in, doubles included."""
        self.requests: list[Request] = []
        self.joins: list[Json] = []
        self.before_reply: Callable[[str, ServerConnection], Awaitable[bool]] | None = None
        """Called with the event's name when its work is done; True swallows the reply."""
        self.refuse_join: Json | None = None
        self.listening = asyncio.Event()
        """Cleared: nothing that comes in is answered any more."""
        self.listening.set()
        self._ids = count(1)
        self._published = asyncio.Condition()

    async def serve(self, tls: SSLContext | None = None) -> Server:
        server = await serve(self._connected, "127.0.0.1", self.port, process_request=self._check_key, ssl=tls)
        self.port = next(iter(server.sockets)).getsockname()[1]
        return server

    async def publish(self, event: str, payload: Json, to: set[str] | None = None) -> int:
        """Append to the log; `to` are the agents entitled, None is all."""
        async with self._published:
            self.log.append({"event": event, "payload": payload, "to": to})
            self._published.notify_all()
        return len(self.log)

    async def tell(self, description: str) -> int:
        """One activity of somebody else."""
        return await self.publish("activity:broadcast", self._activity("ag_other", {"description": description}))

    async def push(self, event: str, payload: Json) -> None:
        """To all members, not logged."""
        for member in list(self.members.values()):
            await self._push(member, event, {"payload": payload})

    async def close_all(self, code: int, reason: str = "") -> None:
        for connection in list(self.members):
            await connection.close(code, reason)

    def abort_all(self) -> None:
        for connection in list(self.members):
            connection.transport.abort()

    def begin_new_epoch(self) -> None:
        self.epoch, self.log, self.oldest = f"{self.epoch}'", [], 1

    def trim(self, oldest: int) -> None:
        self.oldest = oldest

    def _check_key(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return connection.respond(HTTPStatus.FORBIDDEN, "")
        return None

    async def _connected(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        query = {name: values[0] for name, values in parse_qs(urlsplit(connection.request.path).query).items()}
        agent = self._identify(query)
        pump: asyncio.Task[None] | None = None
        try:
            async for message in connection:
                await self.listening.wait()
                join_ref, ref, topic, event, payload = json.loads(message)
                self.seen[event] += 1
                if event == "heartbeat":
                    await connection.send(json.dumps([None, ref, topic, "phx_reply", _ok({})]))
                elif event == "phx_join":
                    pump = await self._join(connection, agent, join_ref, ref, payload)
                elif event == "phx_leave":
                    await connection.send(json.dumps([join_ref, ref, topic, "phx_reply", _ok({})]))
                    await connection.send(json.dumps([join_ref, join_ref, topic, "phx_close", {}]))
                else:
                    reply = await self._answer(agent, event, payload)
                    if self.before_reply is None or not await self.before_reply(event, connection):
                        await connection.send(json.dumps([join_ref, ref, topic, "phx_reply", reply]))
        except ConnectionClosed:
            pass
        finally:
            self.members.pop(connection, None)
            if pump is not None:
                pump.cancel()
            if not any(member.agent is agent for member in self.members.values()):
                await self.push("presence:left", {"agent_id": agent["agent_id"], "name": agent["name"]})

    def _identify(self, query: dict[str, str]) -> Json:
        if "agent_id" in query:
            return self.agents[query["agent_id"]]
        told = json.loads(query["agent"])
        for agent in self.agents.values():
            if told.get("name") and agent["name"] == told["name"]:
                return agent
        agent = {
            "agent_id": f"ag_{next(self._ids):012}", "name": told.get("name"), "framework": told.get("framework"),
            "capabilities": told.get("capabilities", []), "state": "online", "task": None, "load": 0.0, "model": None,
        }  # fmt: skip
        self.agents[agent["agent_id"]] = agent
        return agent

    async def _join(
        self, connection: ServerConnection, agent: Json, join_ref: str, ref: str, payload: Json
    ) -> asyncio.Task[None] | None:
        self.joins.append(payload)
        if self.refuse_join is not None:
            refusal = {"status": "error", "response": self.refuse_join}
            await connection.send(json.dumps([join_ref, ref, "fleet:lobby", "phx_reply", refusal]))
            return None
        agent.update({key: value for key, value in payload["payload"].items() if key in agent})
        joined: Json = {
            "agent_id": agent["agent_id"], "fleet_id": "fl_1", "topic": "fleet:fl_1", "name": agent["name"],
            "heartbeat_ms": self.heartbeat_ms, "server": "fake", "epoch": self.epoch, "seq": len(self.log),
        }  # fmt: skip
        after = len(self.log)
        if (resume := payload.get("resume")) is not None:
            joined["resume"], after = self._resume(resume)
        await connection.send(json.dumps([join_ref, ref, "fleet:lobby", "phx_reply", _ok(joined)]))
        member = Member(connection, agent, join_ref, after)
        self.members[connection] = member
        await self.push("presence:joined", agent)
        await self._push(member, "presence:roster", {"payload": self._roster()})
        return asyncio.create_task(self._pump(member))

    def _resume(self, wanted: Json) -> tuple[Json, int]:
        head = len(self.log)
        if wanted["epoch"] != self.epoch or wanted["seq"] > head:
            return {"status": "gap", "from": 1, "to": head, "missed": None}, head
        first = wanted["seq"] + 1
        if first < self.oldest:
            return {"status": "gap", "from": first, "to": self.oldest - 1, "missed": self.oldest - first}, self.oldest - 1
        return {"status": "resumed", "from": first, "to": head, "missed": 0}, wanted["seq"]

    async def _pump(self, member: Member) -> None:
        with suppress(ConnectionClosed):
            while True:
                async with self._published:
                    await self._published.wait_for(lambda: member.seq < len(self.log))
                while member.seq < len(self.log):
                    entry, epoch = self.log[member.seq], self.epoch
                    member.seq += 1
                    if entry["to"] is None or member.agent["agent_id"] in entry["to"]:
                        numbered = {"payload": entry["payload"], "epoch": epoch, "seq": member.seq}
                        await self._push(member, entry["event"], numbered)

    async def _push(self, member: Member, event: str, envelope: Json) -> None:
        family, _, name = event.partition(":")
        frame = [member.join_ref, None, "fleet:lobby", event, {"type": family, "event": name, **envelope}]
        with suppress(ConnectionClosed):
            await member.connection.send(json.dumps(frame))

    async def _answer(self, agent: Json, event: str, message: Json) -> Json:
        key = message.get("_idempotency_key")
        known = (agent["agent_id"], event, key)
        if key is not None and known in self.replies:
            return self.replies[known]
        try:
            reply = _ok(await self._do(agent, event, message["payload"]))
        except Refusal as refusal:
            return {"status": "error", "response": refusal.args[0]}
        if key is not None and event == "activity:broadcast":
            self.replies[known] = reply
        return reply

    async def _do(self, agent: Json, event: str, payload: Json) -> Json:
        followed = self.followed.setdefault(agent["agent_id"], set())
        match event:
            case "activity:broadcast":
                return await self._broadcast(agent, payload)
            case "activity:subscribe":
                followed |= set(payload["tags"])
                return {"subscribed_tags": sorted(followed)}
            case "activity:unsubscribe":
                followed -= set(payload["tags"])
                return {"subscribed_tags": sorted(followed)}
            case "activity:history":
                events = [entry["payload"] for entry in self.log if entry["event"] == "activity:broadcast"]
                return {"payload": {"events": events[-payload["limit"] :], "count": len(events)}}
            case "presence:update":
                agent.update(payload)
                await self.push(
                    "presence:state_changed", {k: agent[k] for k in ("agent_id", "name", "state", "task", "load")}
                )
                return {"status": "updated"}
            case "presence:roster":
                return {"payload": self._roster()}
            case "replay:request":
                start = int(payload.get("cursor") or 0)
                past = [
                    entry["payload"] for entry in self.log if entry["payload"]["kind"] in payload.get("kinds", ["custom"])
                ]
                page = past[start : start + min(payload["limit"], 10)]
                more = str(start + len(page)) if start + len(page) < len(past) else None
                return {"payload": {"events": page, "total": len(page), "next_cursor": more}}
        raise Refusal({"reason": "unknown_event", "message": "No such event.", "fix": "Look it up.", "event": event})

    async def _broadcast(self, agent: Json, payload: Json) -> Json:
        if payload["kind"] == "nonsense":
            raise Refusal({"reason": "invalid_activity_kind", "message": "No such kind.", "fix": "", "field": "kind"})
        to = None
        if payload["scope"] == "direct":
            to = {payload["to"]}
        elif payload["scope"] == "tagged":
            to = {each for each, tags in self.followed.items() if tags & set(payload["tags"])}
        activity = self._activity(agent["agent_id"], payload)
        await self.publish("activity:broadcast", activity, to)
        return {"event_id": activity["event_id"]}

    def _activity(self, sender: str, payload: Json) -> Json:
        name = self.agents[sender]["name"] if sender in self.agents else None
        return {
            "event_id": f"evt_{next(self._ids)}", "from": {"agent_id": sender, "name": name},
            "kind": payload.get("kind", "custom"), "description": payload["description"], "tags": payload.get("tags", []),
            "data": payload.get("data", {}), "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }  # fmt: skip

    def _roster(self) -> Json:
        here = {member.agent["agent_id"]: member.agent for member in self.members.values()}
        return {"agents": list(here.values()), "total": len(here)}


def _ok(response: Json) -> Json:
    return {"status": "ok", "response": response}

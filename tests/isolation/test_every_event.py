"""Every declared event is called with the ids of another tenant and of another fleet of the same tenant.

The strangers' things hold a marker in every text. Whatever the answer is, the marker is not in it, no stranger's socket
hears of it, and no row of theirs is changed. An event with a field that nobody has thought of fails here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from ringforge_core.identity import Bootstrap, Keys
from ringforge_core.identity.actor import HUB
from ringforge_core.identity.fleets import create_fleet
from ringforge_core.plugin import metadata
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient

MARKER = "Bluebeard"

GOOD: dict[str, Any] = {
    "state": "busy", "task": "t", "load": 0.5, "model": "m", "metadata": {}, "kind": "custom", "description": "d",
    "tags": ["x"], "data": {}, "kinds": ["custom"], "limit": 5, "offset": 0, "value": 1, "type": None, "ttl": 60,
    "if_version": None, "text_search": MARKER, "sort": None, "events": ["set"], "message": {"text": "m"}, "ack": False,
    "correlation_id": "c", "name": "n", "capabilities": ["c"], "settings": {}, "result": {}, "role": "member",
    "status": "active", "display_name": "d", "avatar_url": "https://example.org/a.png", "scope": None, "since": None,
    "from": None, "cursor": None, "before": None, "signature": None,
    "public_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}  # fmt: skip
"""A good value of every field that names nothing of anybody's; None leaves an optional field out."""


OWN_CLOCKWORK = {"indexed"}
"""Columns that the hub changes by itself: a memory entry's words are indexed in the background."""

ALLOWED_WITHIN_A_TENANT = {"agent:migrate"}
"""Events whose very purpose is to reach another fleet of the own tenant."""


class Stranger:
    """An agent of another tenant or fleet with one of everything; `ids` maps fields of requests to its things."""

    def __init__(self, keys: Bootstrap, socket: PhoenixClient) -> None:
        self.keys = keys
        self.socket = socket
        self.ids: dict[str, Any] = {}

    async def settle_in(self) -> None:
        """Own one of everything, each with the marker in it."""
        joined = await self.socket.join()
        me = joined["agent_id"]
        say = self.socket.ok
        event_id = (await say("activity:broadcast", {"kind": "custom", "description": MARKER, "tags": ["x"]}))["event_id"]
        key = f"{MARKER}/key"
        await say("memory:set", {"key": key, "value": MARKER, "tags": ["x"]})
        group_id = (await say("group:create", {"name": MARKER}))["group_id"]
        await say("agent:update_profile", {"description": MARKER})
        sent = await say("direct:send", {"to": "dashboard", "message": {"text": MARKER}})
        await say("activity:subscribe", {"tags": [MARKER]})
        self.ids = {
            "to": me, "with": me, "agent_id": me, "author": me, "agents": [me], "invite": [me], "key": key,
            "pattern": "*", "group_id": group_id, "fleet_id": joined["fleet_id"],
            "message_id": sent["payload"]["message_id"], "after_event_id": event_id,
        }  # fmt: skip


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running_hub(tmp_path) as running:
        yield running


@pytest.fixture(params=["another tenant", "another fleet of the tenant"])
async def stranger(request: pytest.FixtureRequest, hub: TestHub) -> AsyncIterator[Stranger]:
    if request.param == "another tenant":
        keys = await hub.tenant("strangers")
        api_key = keys.agent_key
    else:
        keys = hub.keys
        fleet_id = await _second_fleet(hub)
        api_key = (await Keys(hub.hub.store).create(keys.tenant_id, kind="live", fleet_id=fleet_id)).key
    async with PhoenixClient(hub.websocket_url, api_key=api_key, agent={"name": MARKER}) as socket:
        someone = Stranger(keys, socket)
        await someone.settle_in()
        yield someone


async def test_no_event_reaches_what_is_a_strangers(hub: TestHub, stranger: Stranger) -> None:
    before, heard = await _belongings(hub, stranger), len(stranger.socket.seen)
    leaks = []
    async with PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": "prober"}) as prober:
        await prober.join()
        allowed = ALLOWED_WITHIN_A_TENANT if stranger.keys.tenant_id == hub.keys.tenant_id else set()
        for name, bound in hub.hub.gateway.dispatcher.events.items():
            if name in allowed:
                continue
            for payload in _payloads(bound.declaration.request, stranger):
                ref = await prober.send("fleet:lobby", name, payload)
                if bound.declaration.reply is None:
                    continue
                answer = await prober.expect(lambda message, ref=ref: message.ref == ref)  # type: ignore[misc]
                if MARKER in _without_echo(answer.response, payload):
                    leaks.append((name, payload, answer.response))
        await prober.call("presence:roster")
        leaks += [("pushed", message) for message in prober.seen if message.ref is None and MARKER in json.dumps(message)]
    await stranger.socket.call("presence:roster")
    assert leaks == []
    news = [message for message in stranger.socket.seen[heard:] if message.event != "phx_reply"]
    assert news == []
    assert await _belongings(hub, stranger) == before


def _payloads(request: type[msgspec.Struct], stranger: Stranger) -> list[dict[str, Any]]:
    """The good payload with each of the stranger's ids in turn, and with all of them."""
    fields = msgspec.structs.fields(request)
    unknown = {field.encode_name for field in fields} - GOOD.keys() - stranger.ids.keys()
    assert not unknown, f"{request.__name__} has {unknown}: give GOOD a good value, or the stranger a thing of that kind"
    ids = {field.encode_name: stranger.ids[field.encode_name] for field in fields if field.encode_name in stranger.ids}
    good = {
        field.encode_name: GOOD[field.encode_name]
        for field in fields
        if GOOD.get(field.encode_name) is not None and (field.required or field.encode_name in ("message", "text_search"))
    }
    bare = {name: value for name, value in ids.items() if name in _required(request)}
    return [good | bare, *(good | bare | {name: value} for name, value in ids.items()), good | ids]


def _required(request: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(request) if field.required}


def _without_echo(response: Any, payload: dict[str, Any]) -> str:
    """The answer's text without the values that the prober has just sent itself."""
    text = json.dumps(response)
    for value in payload.values():
        text = text.replace(json.dumps(value), "")
        if isinstance(value, str):
            text = text.replace(value, "")
    return text


async def _belongings(hub: TestHub, stranger: Stranger) -> dict[str, list[Any]]:
    """Every row of the stranger's, of every table that there is, without the clockwork of its own connection."""
    fleet_id = stranger.ids["fleet_id"]

    def read(connection: sa.Connection) -> dict[str, list[Any]]:
        rows = {}
        for table in metadata.sorted_tables:
            if "fleet_id" in table.c:
                columns = [column for column in table.c if column.name not in OWN_CLOCKWORK]
                mine = connection.execute(sa.select(*columns).where(table.c.fleet_id == fleet_id)).all()
                rows[table.name] = sorted(str(tuple(row)) for row in mine)
        return rows

    return await hub.hub.store.read(read)


async def _second_fleet(hub: TestHub) -> str:
    fleet = await create_fleet(hub.hub.store, hub.keys.tenant_id, name="strangers", actor=HUB)
    return fleet.id

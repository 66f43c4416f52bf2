"""Whatever a client sends: an answer or the right close code; the hub and the other connections notice nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringforge_core.errors import InvalidPayload
from ringforge_core.mesh.activity.messages import BroadcastActivity
from ringforge_core.socket.decoding import RequestDecoder, unwrap
from ringforge_core.testkit.hub import TestHub
from ringforge_core.testkit.phoenix_client import PhoenixClient

SECONDS_FOR_ALL = 25

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
async def bystander(hub: TestHub) -> AsyncIterator[PhoenixClient]:
    async with PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": "bystander"}) as socket:
        await socket.join()
        yield socket


def client(hub: TestHub) -> PhoenixClient:
    return PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": "fuzzer"})


class Examples:
    """Draws examples of a strategy inside an async test: hypothesis itself runs only plain functions."""

    def __init__(self, strategy: st.SearchStrategy[Any], count: int) -> None:
        self.drawn: list[Any] = []

        @settings(max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def draw(example: Any) -> None:
            self.drawn.append(example)

        draw()


async def test_any_text_message_is_answered_or_closes_its_own_connection(hub: TestHub, bystander: PhoenixClient) -> None:
    arrays = st.lists(json_values, max_size=7).map(json.dumps)
    frames = st.tuples(scalars, scalars, st.sampled_from(["fleet:lobby", "phoenix", "x"]), st.text(), json_values)
    messages = st.text() | arrays | frames.map(list).map(json.dumps)
    async with asyncio.timeout(SECONDS_FOR_ALL * 2):
        socket = await client(hub).__aenter__()
        for message in Examples(messages, 150).drawn:
            await _send(socket, message)
            ref = await _send(socket, json.dumps([None, "alive", "phoenix", "heartbeat", {}]))
            if ref and await _answered(socket, "alive"):
                socket.seen.clear()
                continue
            assert (await socket.expect_close())[0] == 1007
            await socket.__aexit__(None, None, None)
            socket = await client(hub).__aenter__()
        await socket.__aexit__(None, None, None)
    await bystander.ok("presence:roster")


async def test_any_payload_of_every_event_is_answered_and_the_channel_lives(hub: TestHub, bystander: PhoenixClient) -> None:
    events = hub.hub.gateway.dispatcher.events
    async with asyncio.timeout(SECONDS_FOR_ALL * 3), client(hub) as socket:
        await socket.join()
        for name, bound in events.items():
            fields = [field.encode_name for field in _fields(bound.declaration.request)]
            wild = st.dictionaries(st.sampled_from([*fields, "payload", "_idempotency_key"]), json_values, max_size=6)
            for payload in [
                *({field: wrong} for field in fields for wrong in _WRONG),
                *Examples(json_values | wild, 25).drawn,
            ]:
                ref = await socket.send("fleet:lobby", name, payload)
                if bound.declaration.reply is None:
                    continue
                answer = await socket.expect(lambda message, ref=ref: message.ref == ref)  # type: ignore[misc]
                assert answer.status in ("ok", "error")
                assert answer.status == "ok" or answer.response["reason"] not in ("internal_error", "join_crashed"), payload
                socket.seen.clear()
        assert socket.closed is None
    await bystander.ok("presence:roster")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | json_values.map(json.dumps).map(str.encode))
def test_any_bytes_as_a_payload_are_decoded_or_refused(raw: bytes) -> None:
    try:
        inner, _ = unwrap(msgspec.Raw(raw))
        RequestDecoder(BroadcastActivity)(inner)
    except InvalidPayload as error:
        assert error.message  # noqa: PT017 — either outcome is right, another exception is not


_WRONG: list[Any] = [None, True, -1, 10**30, 1e308, "", "x" * 5_000, "\u0000", [], [[[]]], {}, {"a": {"b": [None]}}]


def _fields(request: type) -> Any:
    return msgspec.structs.fields(request)


async def _send(socket: PhoenixClient, message: str) -> bool:
    try:
        await socket.send_raw(message)
    except Exception:  # noqa: BLE001 — the hub has closed meanwhile, which the caller looks at
        return False
    return True


async def _answered(socket: PhoenixClient, ref: str) -> bool:
    try:
        await socket.expect(lambda message: message.ref == ref)
    except AssertionError:
        return False
    return True

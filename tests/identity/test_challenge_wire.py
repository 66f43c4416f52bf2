"""Ed25519 as agents use it: a challenge over HTTP, its signature at the connect or at the join, and a new key."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from nacl.signing import SigningKey
from websockets.exceptions import InvalidStatus

from ringforge_core.identity import HUB, Bootstrap, Keys
from ringforge_core.identity.public_keys import reset_public_key
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient
from ringforge_core.testkit.postgres import PostgresServer

UNLIMITED = {
    "RINGFORGE__LIMITS__CHALLENGES_PER_AGENT": "off",
    "RINGFORGE__LIMITS__FAILURES_PER_ADDRESS": "off",
}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running_hub(tmp_path, settings=UNLIMITED) as running:
        yield running


@pytest.fixture
async def two_hubs(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[tuple[TestHub, TestHub]]:
    """Two nodes on one database."""
    settings = {**UNLIMITED, "RINGFORGE__STORE__URL": await postgres.new_database()}
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(running_hub(tmp_path, settings=settings | {"RINGFORGE__HUB__NODE": node}))
            for node in ("one", "two")
        ]
        yield first, second


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def post(hub: TestHub, body: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{hub.http_url}/api/auth/challenge", json=body)


class KeyedAgent:
    """An agent that registered a public key."""

    def __init__(self, agent_id: str, key: SigningKey) -> None:
        self.agent_id = agent_id
        self.key = key

    async def response(self, hub: TestHub) -> str:
        answer = await post(hub, {"agent_id": self.agent_id})
        assert answer.status_code == 200, answer.text
        return base64_of(self.key.sign(base64.b64decode(answer.json()["challenge"])).signature)

    def connect(self, hub: TestHub, response: str) -> PhoenixClient:
        return PhoenixClient(hub.websocket_url, query=f"agent_id={self.agent_id}&challenge_response={quote(response)}")


async def register(hub: TestHub, keys: Bootstrap | str, name: str) -> KeyedAgent:
    api_key = keys if isinstance(keys, str) else keys.agent_key
    key = SigningKey.generate()
    agent = {"name": name, "public_key": base64_of(bytes(key.verify_key))}
    async with PhoenixClient(hub.websocket_url, api_key=api_key, agent=agent) as client:
        return KeyedAgent((await client.join())["agent_id"], key)


async def is_admitted(agent: KeyedAgent, hub: TestHub, response: str) -> bool:
    try:
        async with agent.connect(hub, response) as client:
            return (await client.join())["agent_id"] == agent.agent_id
    except InvalidStatus as refused:
        assert refused.response.status_code == 403  # noqa: PT017 — every other status is another fault
        return False


async def test_the_challenge_has_32_bytes_for_30_seconds(hub: TestHub) -> None:
    agent = await register(hub, hub.keys, "scout")
    answer = (await post(hub, {"agent_id": agent.agent_id})).json()
    assert answer["expires_in"] == 30
    assert len(base64.b64decode(answer["challenge"], validate=True)) == 32
    assert answer != (await post(hub, {"agent_id": agent.agent_id})).json()


async def test_what_gets_no_challenge_is_told_why(hub: TestHub) -> None:
    async with PhoenixClient(hub.websocket_url, api_key=hub.keys.agent_key, agent={"name": "keyless"}) as client:
        keyless = (await client.join())["agent_id"]
    for body, status, error in (
        ({}, 400, "missing_agent_id"),
        ({"agent_id": ""}, 400, "missing_agent_id"),
        ({"agent_id": None}, 400, "missing_agent_id"),
        ({"agent_id": "ag_nobody"}, 404, "agent_not_found"),
        ({"agent_id": keyless}, 422, "no_public_key"),
        ({"agent_id": 7}, 400, "validation_failed"),
        ({"agent_id": "nul\x00"}, 400, "validation_failed"),
        (["no object"], 400, "validation_failed"),
    ):
        answer = await post(hub, body)
        assert (answer.status_code, answer.json()["error"]) == (status, error), body
        assert answer.json()["message"]


async def test_a_signature_opens_the_socket_by_the_query_and_by_the_join(hub: TestHub) -> None:
    agent = await register(hub, hub.keys, "scout")
    async with agent.connect(hub, await agent.response(hub)) as client:
        assert (await client.join())["agent_id"] == agent.agent_id
        entry = (await client.expect_push("presence:roster"))["payload"]["agents"][0]
        assert (entry["agent_id"], entry["name"]) == (agent.agent_id, "scout")
    async with PhoenixClient(hub.websocket_url) as client:
        credentials = {"agent_id": agent.agent_id, "challenge_response": await agent.response(hub)}
        assert (await client.join({**credentials, "payload": {"state": "busy"}}))["agent_id"] == agent.agent_id
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"{hub.http_url}/metrics")).text
    for method in ("ed25519", "join"):
        assert f'ringforge_auth_total{{method="{method}",result="success"}} 1.0' in metrics


async def test_a_wrong_or_used_signature_opens_nothing(hub: TestHub) -> None:
    agent = await register(hub, hub.keys, "scout")
    used = await agent.response(hub)
    assert await is_admitted(agent, hub, used)
    assert not await is_admitted(agent, hub, used)
    await post(hub, {"agent_id": agent.agent_id})
    assert not await is_admitted(agent, hub, base64_of(b"s" * 64))
    assert not await is_admitted(agent, hub, "not base64!")
    async with PhoenixClient(hub.websocket_url) as client:
        for response in (used, base64_of(b"short"), "not base64!"):
            refused = await client.refused("phx_join", {"agent_id": agent.agent_id, "challenge_response": response})
            assert refused["reason"] == "invalid_challenge"
        good = {"agent_id": agent.agent_id, "challenge_response": await agent.response(hub)}
        assert (await client.join(good))["agent_id"] == agent.agent_id  # a refusal is not the socket's end


async def test_d28_of_fifty_racing_sockets_one_gets_in(hub: TestHub) -> None:
    agent = await register(hub, hub.keys, "racer")
    response = await agent.response(hub)
    admitted = await asyncio.gather(*(is_admitted(agent, hub, response) for _ in range(50)))
    assert sum(admitted) == 1


async def test_d28_d110_of_fifty_racing_sockets_on_two_nodes_one_gets_in(two_hubs: tuple[TestHub, TestHub]) -> None:
    agent = await register(two_hubs[0], two_hubs[0].keys, "racer")
    for asked in two_hubs:
        response = await agent.response(asked)
        admitted = await asyncio.gather(*(is_admitted(agent, two_hubs[n % 2], response) for n in range(50)))
        assert sum(admitted) == 1


async def test_d27_a_revoked_key_ends_the_session_that_a_signature_opened_and_the_next(hub: TestHub) -> None:
    keys = Keys(hub.hub.store)
    created = await keys.create(hub.keys.tenant_id, kind="live")
    agent = await register(hub, created.key, "scout")
    async with agent.connect(hub, await agent.response(hub)) as client:
        await client.join()
        pending = await agent.response(hub)
        await keys.revoke(hub.keys.tenant_id, created.id)
        assert (await client.expect_close())[0] == 1008
    assert not await is_admitted(agent, hub, pending)


async def test_challenges_are_limited_and_the_answer_says_until_when(tmp_path: Path) -> None:
    async with running_hub(tmp_path, settings={"RINGFORGE__LIMITS__CHALLENGES_PER_AGENT": "5/minute"}) as hub:
        agent = await register(hub, hub.keys, "scout")
        answers = [await post(hub, {"agent_id": agent.agent_id}) for _ in range(8)]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        assert answers[-1].status_code == 429  # a new minute that begins meanwhile lets one or two more through
        assert answers[-1].json()["error"] == "rate_limited"
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60


async def test_who_shares_an_address_with_failing_ones_still_gets_in_by_its_key(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        agent = await register(hub, hub.keys, "scout")
        response = await agent.response(hub)
        for _ in range(12):
            with pytest.raises(InvalidStatus):
                async with PhoenixClient(hub.websocket_url, api_key="rf_live_stale", agent={"name": "stale"}):
                    pass
        assert await is_admitted(agent, hub, response)


# --- auth:rotate_key --------------------------------------------------------------------------------------------------


async def test_an_agent_replaces_its_key(hub: TestHub) -> None:
    agent = await register(hub, hub.keys, "scout")
    new = SigningKey.generate()
    public_key = base64_of(bytes(new.verify_key))
    async with agent.connect(hub, await agent.response(hub)) as client:
        await client.join()
        pending = await agent.response(hub)
        signature = base64_of(agent.key.sign(bytes(new.verify_key)).signature)
        request = {"public_key": public_key, "signature": signature, "_idempotency_key": "rotate-1"}
        rotated = await client.ok("auth:rotate_key", {"payload": request})
        assert (rotated["type"], rotated["event"]) == ("auth", "key_rotated")
        assert rotated["payload"].pop("rotated_at").endswith("Z")
        assert rotated["payload"] == {"agent_id": agent.agent_id, "public_key": public_key}
        again = await client.ok("auth:rotate_key", {"payload": request})
        assert again["payload"]["public_key"] == public_key
    assert not await is_admitted(agent, hub, pending)
    assert not await is_admitted(agent, hub, await agent.response(hub))
    renewed = KeyedAgent(agent.agent_id, new)
    assert await is_admitted(renewed, hub, await renewed.response(hub))


async def test_a_rotation_that_is_not_good_is_refused_and_the_old_key_stays(hub: TestHub) -> None:
    agent = await register(hub, hub.keys, "scout")
    good = base64_of(bytes(SigningKey.generate().verify_key))
    async with agent.connect(hub, await agent.response(hub)) as client:
        await client.join()
        for payload, reason in (
            ({}, "missing_public_key"),
            ({"public_key": 7}, "invalid_public_key"),
            ({"public_key": "not base64!"}, "invalid_public_key"),
            ({"public_key": base64_of(b"short")}, "invalid_public_key"),
            ({"public_key": good, "signature": "not base64!"}, "invalid_signature"),
            ({"public_key": good, "signature": base64_of(b"s" * 64)}, "invalid_signature"),
            ({"public_key": good, "signature": 7}, "invalid_signature"),
        ):
            assert (await client.refused("auth:rotate_key", payload))["reason"] == reason, payload
    assert await is_admitted(agent, hub, await agent.response(hub))


async def test_d20_an_agent_that_was_reset_takes_the_key_of_its_next_registration(hub: TestHub) -> None:
    lost = await register(hub, hub.keys, "scout")
    thief = await register(hub, hub.keys, "scout")  # has the API key, and so the name, but not the private key
    assert not await is_admitted(thief, hub, await thief.response(hub))
    await reset_public_key(hub.hub.store, hub.keys.tenant_id, lost.agent_id, actor=HUB)
    renewed = await register(hub, hub.keys, "scout")
    assert renewed.agent_id == lost.agent_id
    assert await is_admitted(renewed, hub, await renewed.response(hub))
    assert not await is_admitted(lost, hub, await lost.response(hub))

"""Ed25519 by challenge: what it opens, and how each challenge opens once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from nacl.signing import SigningKey

from ringforge_core.errors import NotFound, Refused, RingforgeError, Unauthenticated
from ringforge_core.identity import HUB, Admission, AgentClaim, Bootstrap, Credentials, Keys, bootstrap, now
from ringforge_core.identity.challenges import PENDING, TTL, issue_challenge
from ringforge_core.identity.public_keys import reset_public_key, rotate_public_key
from ringforge_core.identity.tables import agents, challenges, tenants
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store, Transaction
from ringforge_core.store import SqlStore


def run(transaction: Transaction, statements: Sequence[sa.Executable]) -> list[None]:
    for statement in statements:
        transaction.execute(statement)
    return [None] * len(statements)


async def refusal(attempt: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(RingforgeError) as caught:
        await attempt
    return caught.value.reason


class KeyedAgent:
    """An agent with a key pair, and the ways it comes in."""

    def __init__(self, session: AgentSession, key: SigningKey) -> None:
        self.session = session
        self.agent_id = session.agent_id
        self.key = key

    async def response(self, store: Store, *, address: str | None = None) -> bytes:
        nonce = await issue_challenge(store, self.agent_id, address=address)
        return bytes(self.key.sign(nonce).signature)

    async def connect(self, admission: Admission, response: bytes) -> AgentSession:
        return await admission.admit(Credentials(agent_id=self.agent_id, challenge_response=response), address="192.0.2.9")


async def register(admission: Admission, api_key: str, name: str, key: SigningKey | None = None) -> KeyedAgent:
    key = key or SigningKey.generate()
    claim = AgentClaim(name=name, public_key=bytes(key.verify_key))
    session = await admission.admit(Credentials(api_key=api_key, agent=claim), address=None)
    return KeyedAgent(session, key)


@pytest.fixture
async def scout(admission: Admission, acme: Bootstrap) -> KeyedAgent:
    return await register(admission, acme.agent_key, "scout")


async def test_a_signed_challenge_opens_a_session_of_the_agent(
    store: Store, admission: Admission, scout: KeyedAgent
) -> None:
    session = await scout.connect(admission, await scout.response(store))
    assert (session.agent_id, session.name, session.fleet_id) == (scout.agent_id, "scout", scout.session.fleet_id)
    assert (session.method, session.key_id, session.address) == ("ed25519", scout.session.key_id, "192.0.2.9")
    assert session.session_id != scout.session.session_id
    row = await store.read(lambda connection: connection.execute(sa.select(agents)).mappings().one())
    assert (row["auth_mode"], row["total_connections"]) == ("challenge", 2)


async def test_a_challenge_opens_once(store: Store, admission: Admission, scout: KeyedAgent) -> None:
    response = await scout.response(store)
    await scout.connect(admission, response)
    assert await refusal(scout.connect(admission, response)) == "invalid_challenge"


@pytest.mark.parametrize("forge", ["other key", "other message", "too short", "nothing asked"])
async def test_what_is_no_signature_of_a_pending_challenge_opens_nothing(
    store: Store, admission: Admission, scout: KeyedAgent, forge: str
) -> None:
    if forge == "nothing asked":
        response = scout.key.sign(b"n" * 32).signature
    else:
        nonce = await issue_challenge(store, scout.agent_id, address=None)
        response = {
            "other key": SigningKey.generate().sign(nonce).signature,
            "other message": scout.key.sign(nonce + b"!").signature,
            "too short": scout.key.sign(nonce).signature[:-1],
        }[forge]
    assert await refusal(scout.connect(admission, response)) == "invalid_challenge"


async def test_a_failed_attempt_leaves_the_challenge_to_the_agent(
    store: Store, admission: Admission, scout: KeyedAgent
) -> None:
    response = await scout.response(store)
    assert await refusal(scout.connect(admission, b"s" * 64)) == "invalid_challenge"
    await scout.connect(admission, response)


async def test_another_agents_challenge_is_not_ones_own(
    store: Store, admission: Admission, scout: KeyedAgent, globex: Bootstrap
) -> None:
    stranger = await register(admission, globex.agent_key, "scout")
    nonce = await issue_challenge(store, scout.agent_id, address=None)
    assert await refusal(stranger.connect(admission, stranger.key.sign(nonce).signature)) == "invalid_challenge"


async def test_a_challenge_expires(store: Store, admission: Admission, scout: KeyedAgent) -> None:
    response = await scout.response(store)
    await store.apply(run, challenges.update().values(expires_at=now()))
    assert await refusal(scout.connect(admission, response)) == "invalid_challenge"


async def test_expired_challenges_are_swept(store: Store, admission: Admission, scout: KeyedAgent, acme: Bootstrap) -> None:
    other = await register(admission, acme.agent_key, "other")
    await issue_challenge(store, other.agent_id, address=None)
    await store.apply(run, challenges.update().values(expires_at=now() - TTL))
    await issue_challenge(store, scout.agent_id, address=None)
    query = sa.select(challenges.c.agent_id)
    assert await store.read(lambda connection: list(connection.scalars(query))) == [scout.agent_id]


async def test_unknown_disabled_and_keyless_agents_get_no_challenge(
    store: Store, admission: Admission, acme: Bootstrap, scout: KeyedAgent
) -> None:
    keyless = await admission.admit(Credentials(api_key=acme.agent_key, agent=AgentClaim(name="keyless")), address=None)
    with pytest.raises(NotFound, match="no such agent"):
        await issue_challenge(store, "ag_nobody", address=None)
    with pytest.raises(Refused) as refused:
        await issue_challenge(store, keyless.agent_id, address=None)
    assert refused.value.reason == "no_public_key"
    await store.apply(run, agents.update().where(agents.c.agent_id == scout.agent_id).values(disabled_at=now()))
    with pytest.raises(NotFound):
        await issue_challenge(store, scout.agent_id, address=None)


async def test_d27_a_revoked_or_expired_registering_key_ends_challenge_logins(
    store: Store, admission: Admission, acme: Bootstrap, keys: Keys
) -> None:
    created = [await keys.create(acme.tenant_id, kind="live", actor=HUB) for _ in range(3)]
    revoked, expired, good = [await register(admission, key.key, f"agent {key.id}") for key in created]
    responses = [await agent.response(store) for agent in (revoked, expired, good)]
    await keys.revoke(acme.tenant_id, created[0].id, actor=HUB)
    await store.apply(run, sa.text(f"UPDATE api_keys SET expires_at = 1 WHERE id = '{created[1].id}'"))  # noqa: S608 — an id of ours
    assert await refusal(revoked.connect(admission, responses[0])) == "invalid_challenge"
    assert await refusal(expired.connect(admission, responses[1])) == "invalid_challenge"
    assert (await good.connect(admission, responses[2])).key_id == created[2].id


async def test_agents_that_sign_outlive_the_rotation_of_the_key_that_registered_them(
    store: Store, admission: Admission, acme: Bootstrap, keys: Keys
) -> None:
    old = await keys.create(acme.tenant_id, kind="live", actor=HUB)
    agent, other = await register(admission, old.key, "agent"), await register(admission, acme.agent_key, "other")
    rotated = await keys.rotate(acme.tenant_id, old.id, grace=timedelta(), actor=HUB)
    assert (await agent.connect(admission, await agent.response(store))).key_id == rotated.key.id
    assert (await other.connect(admission, await other.response(store))).key_id == other.session.key_id
    await keys.revoke(acme.tenant_id, rotated.key.id, actor=HUB)
    assert await refusal(agent.connect(admission, await agent.response(store))) == "invalid_challenge"


async def test_d27_a_suspended_tenant_and_a_disabled_agent_get_no_session(
    store: Store, admission: Admission, acme: Bootstrap, scout: KeyedAgent
) -> None:
    disabled = await register(admission, acme.agent_key, "disabled")
    responses = await scout.response(store), await disabled.response(store)
    await store.apply(run, agents.update().where(agents.c.agent_id == disabled.agent_id).values(disabled_at=now()))
    assert await refusal(disabled.connect(admission, responses[1])) == "invalid_challenge"
    await store.apply(run, tenants.update().where(tenants.c.id == acme.tenant_id).values(suspended_at=now()))
    assert await refusal(scout.connect(admission, responses[0])) == "invalid_challenge"


async def test_the_api_key_that_brought_the_public_key_answers_for_it(
    store: Store, admission: Admission, acme: Bootstrap, keys: Keys
) -> None:
    first, second = [await keys.create(acme.tenant_id, kind="live", actor=HUB) for _ in range(2)]
    await admission.admit(Credentials(api_key=first.key, agent=AgentClaim(name="late")), address=None)
    late = await register(admission, second.key, "late")
    await keys.revoke(acme.tenant_id, first.id, actor=HUB)
    assert (await late.connect(admission, await late.response(store))).key_id == second.id


async def test_d28_no_more_than_three_are_pending_and_a_stranger_cannot_push_the_agents_own_out(
    store: Store, admission: Admission, scout: KeyedAgent
) -> None:
    mine = await scout.response(store, address="192.0.2.1")
    for _ in range(5):
        await issue_challenge(store, scout.agent_id, address="203.0.113.66")
    query = sa.select(sa.func.count()).select_from(challenges)
    assert await store.read(lambda connection: connection.scalar(query)) == PENDING
    await scout.connect(admission, mine)


async def test_three_challenges_work_side_by_side(store: Store, admission: Admission, scout: KeyedAgent) -> None:
    responses = [await scout.response(store) for _ in range(PENDING + 1)]
    assert await refusal(scout.connect(admission, responses[0])) == "invalid_challenge"
    for response in responses[1:]:
        await scout.connect(admission, response)


@pytest.fixture
async def two_hubs(postgres_url: str) -> AsyncIterator[tuple[Store, Store]]:
    hubs = SqlStore(postgres_url), SqlStore(postgres_url)
    for hub in hubs:
        await hub.open()
    yield hubs
    for hub in hubs:
        await hub.close()


async def test_d28_d110_of_fifty_that_race_on_two_hubs_one_gets_in(two_hubs: tuple[Store, Store]) -> None:
    tenant = await bootstrap(two_hubs[0], tenant="racing")
    admissions = [Admission(hub) for hub in two_hubs]
    for round_ in range(5):
        racer = await register(admissions[0], tenant.agent_key, f"racer {round_}")
        response = await racer.response(two_hubs[round_ % 2])
        attempts = [racer.connect(admissions[attempt % 2], response) for attempt in range(50)]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        assert sum(isinstance(result, AgentSession) for result in results) == 1
        assert {type(result) for result in results} == {AgentSession, Unauthenticated}


async def test_many_who_come_back_at_once_each_get_their_own_session(
    store: Store, admission: Admission, acme: Bootstrap
) -> None:
    crowd = await asyncio.gather(*(register(admission, acme.agent_key, f"agent {number}") for number in range(600)))
    responses = await asyncio.gather(*(agent.response(store) for agent in crowd))
    forged = [b"f" * 64 if number % 3 == 0 else response for number, response in enumerate(responses)]
    attempts = (agent.connect(admission, response) for agent, response in zip(crowd, forged, strict=True))
    results = await asyncio.gather(*attempts, return_exceptions=True)
    for number, (agent, result) in enumerate(zip(crowd, results, strict=True)):
        if number % 3 == 0:
            assert isinstance(result, Unauthenticated)
        else:
            assert isinstance(result, AgentSession)
            assert (result.agent_id, result.name) == (agent.agent_id, f"agent {number}")


async def test_d28_of_fifty_that_race_on_one_hub_one_gets_in(store: Store, admission: Admission, scout: KeyedAgent) -> None:
    response = await scout.response(store)
    attempts = [scout.connect(admission, response) for _ in range(50)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(result, AgentSession) for result in results) == 1


# --- the public key ---------------------------------------------------------------------------------------------------


async def test_d20_an_api_key_alone_never_replaces_a_public_key(
    store: Store, admission: Admission, acme: Bootstrap, scout: KeyedAgent
) -> None:
    thief = await register(admission, acme.agent_key, "scout")
    assert thief.agent_id == scout.agent_id
    assert await refusal(thief.connect(admission, await thief.response(store))) == "invalid_challenge"
    await scout.connect(admission, await scout.response(store))


async def test_a_rotation_replaces_the_key_and_drops_what_waited_for_the_old_one(
    store: Store, admission: Admission, scout: KeyedAgent
) -> None:
    waiting = await scout.response(store)
    new = SigningKey.generate()
    rotated = await rotate_public_key(store, scout.session, bytes(new.verify_key), signature=None)
    assert (rotated.agent_id, rotated.public_key) == (scout.agent_id, bytes(new.verify_key))
    assert now() - rotated.rotated_at < timedelta(minutes=1)
    assert await refusal(scout.connect(admission, waiting)) == "invalid_challenge"
    assert await refusal(scout.connect(admission, await scout.response(store))) == "invalid_challenge"
    renewed = KeyedAgent(scout.session, new)
    await renewed.connect(admission, await renewed.response(store))


async def test_a_rotation_that_a_challenge_was_checked_before_wins(
    store: Store, admission: Admission, scout: KeyedAgent
) -> None:
    """The signature is checked outside the write: what the write consumes must not have been of a key that is gone."""
    response = await scout.response(store)
    rotation = rotate_public_key(store, scout.session, bytes(SigningKey.generate().verify_key), signature=None)
    read = store.read

    async def read_then_rotate(query: Any) -> Any:
        found = await read(query)
        await rotation
        return found

    store.read = read_then_rotate  # type: ignore[method-assign]  # the moment between check and write
    assert await refusal(scout.connect(admission, response)) == "invalid_challenge"


async def test_a_signature_of_the_new_key_must_be_the_old_keys(store: Store, scout: KeyedAgent) -> None:
    new = SigningKey.generate()
    public_key = bytes(new.verify_key)
    forged = new.sign(public_key).signature
    assert await refusal(rotate_public_key(store, scout.session, public_key, signature=forged)) == "invalid_signature"
    proof = scout.key.sign(public_key).signature
    await rotate_public_key(store, scout.session, public_key, signature=proof)


async def test_where_the_tenant_wants_proof_there_is_no_rotation_without(
    store: Store, admission: Admission, acme: Bootstrap, scout: KeyedAgent, globex: Bootstrap
) -> None:
    of_acme = tenants.c.id == acme.tenant_id
    await store.apply(run, tenants.update().where(of_acme).values(require_key_proof=True))
    public_key = bytes(SigningKey.generate().verify_key)
    assert await refusal(rotate_public_key(store, scout.session, public_key, signature=None)) == "missing_signature"
    proof = scout.key.sign(public_key).signature
    await rotate_public_key(store, scout.session, public_key, signature=proof)

    keyless = await admission.admit(Credentials(api_key=acme.agent_key, agent=AgentClaim(name="keyless")), address=None)
    await rotate_public_key(store, keyless, public_key, signature=None)  # a first key has no old one to prove it
    elsewhere = await register(admission, globex.agent_key, "scout")
    await rotate_public_key(store, elsewhere.session, public_key, signature=None)


async def test_after_a_reset_by_an_admin_the_next_registration_sets_the_key(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap, scout: KeyedAgent
) -> None:
    waiting = await scout.response(store)
    assert await refusal(reset_public_key(store, globex.tenant_id, scout.agent_id, actor=HUB)) == "agent_not_found"
    await reset_public_key(store, acme.tenant_id, scout.agent_id, actor=HUB)
    assert await refusal(scout.connect(admission, waiting)) == "invalid_challenge"
    assert await refusal(scout.response(store)) == "no_public_key"
    renewed = await register(admission, acme.agent_key, "scout")
    await renewed.connect(admission, await renewed.response(store))

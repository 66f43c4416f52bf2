"""From credentials to an agent that is in: verify the key or the signature, then find or make the agent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ringforge_core.errors import Conflict, Unauthenticated
from ringforge_core.identity.challenge_visits import ChallengeVisit, admit_challenged
from ringforge_core.identity.claim import AgentClaim, parse_agent, parse_model
from ringforge_core.identity.credentials import Credentials
from ringforge_core.identity.ids import new_agent_id, new_uuid, now
from ringforge_core.identity.profile import ProfileChange, change_profiles
from ringforge_core.identity.registration import (
    AdmittedAgent,
    Reconnection,
    Registration,
    reconnect_agents,
    register_agents,
)
from ringforge_core.identity.signatures import PendingChallenges
from ringforge_core.identity.verified_keys import KeyHolder, VerifiedKeys
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store


class Admission:
    """The only way by which an agent gets a session. One per hub."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._keys = VerifiedKeys(store)
        self._challenges = PendingChallenges(store)

    async def check_key(self, api_key: str) -> KeyHolder:
        """Verify a key for agents; raises `Unauthenticated`: `invalid_api_key`, or `wrong_key_type` for an admin key."""
        holder = await self._keys.holder(api_key)
        if holder.kind == "admin":
            raise Unauthenticated(
                "This is an admin key; agents connect with a live or test key.",
                reason="wrong_key_type",
                fix="Use a key that starts with `rf_live_` or `rf_test_`.",
            )
        return holder

    async def admit(self, credentials: Credentials, *, address: str | None) -> AgentSession:
        """Register or reconnect the agent, and count the connection. A key alone registers a nameless agent.

        Raises `Unauthenticated`: `missing_credentials`, `invalid_api_key`, `wrong_key_type`, `invalid_agent` or
        `invalid_challenge`.
        """
        mode = credentials.mode
        if mode == "challenge":
            return await self._prove(credentials, address)
        holder = await self._holder(credentials)
        if mode == "reconnect":
            agent = await self._reconnect(holder, credentials.agent_id or "")
        else:
            agent = await self._register(holder, credentials.agent or AgentClaim(), address)
        return _session(agent, holder.tenant_id, holder.key_id, method="api_key", address=address)

    async def update_profile(
        self,
        session: AgentSession,
        *,
        name: str | None = None,
        framework: str | None = None,
        capabilities: Sequence[str] | None = None,
        model: str | None = None,
    ) -> AgentSession:
        """Store what differs, None for what was not said; returns the session as it is stored then.

        A name that another agent of the fleet has is not taken: the stored one stays. Raises `InvalidPayload`.
        """
        claim = parse_agent({"name": name, "framework": framework, "capabilities": capabilities})
        model = parse_model(model)
        if model is None and not _differs(claim, session):
            return session
        change = ProfileChange(
            tenant_id=session.tenant_id,
            agent_id=session.agent_id,
            claim=claim,
            model=model,
            at=now(),
        )
        try:
            stored = await self.store.apply(change_profiles, change)
        except Conflict:  # another hub gave the same name away in this moment: now it is there to be seen
            stored = await self.store.apply(change_profiles, change)
        return msgspec.structs.replace(
            session, name=stored.name, framework=stored.framework, capabilities=stored.capabilities
        )

    async def _holder(self, credentials: Credentials) -> KeyHolder:
        if credentials.api_key is None:
            raise Unauthenticated(
                "There are no credentials.",
                reason="missing_credentials",
                fix="Send `api_key`, and `agent` with a `name` by which the agent is found again.",
            )
        return await self.check_key(credentials.api_key)

    async def _prove(self, credentials: Credentials, address: str | None) -> AgentSession:
        challenge = await self._challenges.match(credentials.agent_id or "", credentials.challenge_response or b"")
        proven = await self.store.apply(admit_challenged, ChallengeVisit(challenge, now()))
        return _session(proven.agent, challenge.tenant_id, proven.key_id, method="ed25519", address=address)

    async def _register(self, holder: KeyHolder, claim: AgentClaim, address: str | None) -> AdmittedAgent:
        registration = Registration(
            row_id=new_uuid(),
            agent_id=new_agent_id(),
            tenant_id=holder.tenant_id,
            fleet_id=holder.fleet_id,
            key_id=holder.key_id,
            claim=claim,
            at=now(),
            address=address,
        )
        return await self.store.apply(register_agents, registration)

    async def _reconnect(self, holder: KeyHolder, agent_id: str) -> AdmittedAgent:
        reconnection = Reconnection(
            agent_id=agent_id,
            tenant_id=holder.tenant_id,
            fleet_id=holder.fleet_id if holder.scoped else None,
            at=now(),
        )
        return await self.store.apply(reconnect_agents, reconnection)


def _session(agent: AdmittedAgent, tenant_id: str, key_id: str, *, method: str, address: str | None) -> AgentSession:
    return AgentSession(
        session_id=new_uuid(),
        tenant_id=tenant_id,
        fleet_id=agent.fleet_id,
        agent_id=agent.agent_id,
        name=agent.name,
        key_id=key_id,
        method=method,
        framework=agent.framework,
        capabilities=agent.capabilities,
        address=address,
    )


def _differs(claim: AgentClaim, session: AgentSession) -> bool:
    said = (claim.name, claim.framework, claim.capabilities)
    stored = (session.name, session.framework, session.capabilities)
    return any(new is not None and new != old for new, old in zip(said, stored, strict=True))

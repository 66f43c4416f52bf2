"""How often an agent may send: any event, and each event by its own rate."""

from __future__ import annotations

from ringforge_core.errors import LimitReached
from ringforge_core.limits.plans import Plan
from ringforge_core.limits.rates import OFF, RateLimiter
from ringforge_core.limits.tenant_plans import TenantPlans
from ringforge_core.plugin.capability import AgentSession

PATIENCE = "100/minute"
"""Refusals that one connection may cause before it is closed; who waits as it is told to meets only a few."""


class AgentRates:
    """Asked before an event is decoded; on a plan without rates that costs a look-up."""

    def __init__(self, limiter: RateLimiter, plans: TenantPlans) -> None:
        self._limiter = limiter
        self._plans = plans

    def check(self, agent: AgentSession, event: str, declared: str | None) -> LimitReached | None:
        """Count one event of the agent, or refuse it; `declared` is the event's own rate."""
        plan = self._plans.known(agent.tenant_id)
        if plan.agent_rate != OFF and (refusal := self._limiter.check(plan.agent_rate, "agent", agent.agent_id)):
            return refusal
        own = _rate_of(plan, event, declared)
        return None if own == OFF else self._limiter.check(own, event, agent.agent_id)

    def exhausts(self, agent: AgentSession) -> bool:
        """Note that an event was refused; whether the connection has gone on too often all the same."""
        return self._limiter.check(PATIENCE, "refused", agent.session_id) is not None


def _rate_of(plan: Plan, event: str, declared: str | None) -> str:
    if plan.rate_of and event in plan.rate_of:
        return plan.rate_of[event]
    return OFF if declared is None or plan.event_rates == "off" else declared

"""All that one hub limits without a transaction: rates, and the guard of the sign-in."""

from __future__ import annotations

from datetime import timedelta

from ringforge_core.limits.agent_rates import AgentRates
from ringforge_core.limits.rates import RateLimiter
from ringforge_core.limits.settings import LimitsSettings
from ringforge_core.limits.shared_rates import SharedRates
from ringforge_core.limits.sign_in import SignInGuard
from ringforge_core.limits.tenant_plans import TenantPlans
from ringforge_core.ports.store import Store


class Limits:
    """Started after the store, stopped before it."""

    def __init__(self, store: Store, settings: LimitsSettings) -> None:
        limiter = RateLimiter()
        self.settings = settings
        self.plans = TenantPlans(store, settings)
        self.agents = AgentRates(limiter, self.plans)
        self.sign_in = SignInGuard(limiter, settings)
        self._shared = SharedRates(store, limiter)

    async def retention(self, tenant_id: str, *, of_hub: timedelta) -> timedelta:
        """How long the events and messages of a tenant are kept; `of_hub` where its plan leaves that to the hub."""
        return (await self.plans.of(tenant_id)).retention or of_hub

    async def start(self) -> None:
        await self.plans.start()
        await self._shared.start()

    async def stop(self) -> None:
        await self._shared.stop()
        await self.plans.stop()

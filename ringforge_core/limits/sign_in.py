"""Guards the sign-in: asked before a key is looked up, so that guessing is not free.

Failures are counted for each address. Many agents may share one (a proxy, one machine), and one among them with a stale key
must not lock the others out: a key that was good before is let through to the look-up. Successes are counted only for
tenants whose plan says so.
"""

from __future__ import annotations

import hashlib
import ipaddress

from cachetools import LRUCache

from ringforge_core.errors import LimitReached
from ringforge_core.limits.plans import Plan
from ringforge_core.limits.rates import RateLimiter
from ringforge_core.limits.settings import LimitsSettings

REMEMBERED = 50_000
"""Good keys that are remembered, as digests."""


class SignInGuard:
    """Every method raises `LimitReached` (`rate_limited`). An unknown address, None, is not limited."""

    def __init__(self, limiter: RateLimiter, settings: LimitsSettings) -> None:
        self._limiter = limiter
        self._settings = settings
        self._good: LRUCache[bytes, None] = LRUCache(REMEMBERED)

    def check(self, address: str | None, secret: str | None = None) -> None:
        """Before the look-up of an API key, or of another secret."""
        if address is None or (secret is not None and _digest(secret) in self._good):
            return
        _raise(self._limiter.peek(self._settings.failures_per_address, "sign-in failures", _network(address)))

    def failed(self, address: str | None) -> None:
        """Count a failure; this one was answered already, so nothing is raised."""
        if address is not None:
            self._limiter.check(self._settings.failures_per_address, "sign-in failures", _network(address))

    def remember(self, secret: str) -> None:
        """A key was good: it is let through from now on."""
        self._good[_digest(secret)] = None

    def succeeded(self, address: str | None, plan: Plan, secret: str | None = None) -> None:
        """Count a success where the plan limits them, and remember the key."""
        if secret is not None:
            self.remember(secret)
        if address is not None:
            _raise(self._limiter.check(plan.address_rate, "sign-ins", _network(address)))

    def check_challenge(self, address: str | None, agent_id: str) -> None:
        """Before a challenge is made: who asks too often, or for an agent that is asked for too often, gets none."""
        if address is not None:
            rate = self._settings.challenges_per_address
            _raise(self._limiter.check(rate, "challenges of an address", _network(address)))
        _raise(self._limiter.check(self._settings.challenges_per_agent, "challenges of an agent", agent_id))

    def check_key_check(self, address: str | None) -> None:
        """Before `/api/connect/check` looks at a key."""
        if address is not None:
            _raise(self._limiter.check(self._settings.checks_per_address, "key checks", _network(address)))

    def check_request(self, key_id: str, plan: Plan) -> None:
        """Count an HTTP request with a good API key."""
        _raise(self._limiter.check(plan.key_rate, "requests", key_id))


def _raise(refusal: LimitReached | None) -> None:
    if refusal is not None:
        raise refusal


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _network(address: str) -> str:
    """The address; of an IPv6 address its /64, as one client has all of it."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address

"""The table `[limits]` of the TOML."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ringforge_core.limits.plans import ENTERPRISE, FREE, PRO, SCALE, UNLIMITED, Plan
from ringforge_core.limits.rates import parse_rates


class LimitsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What guards the sign-in, whatever the plan; and below, what each plan may use.

    A quota is a number or "unlimited", a rate a text such as "30/minute" or "off". An unknown plan counts as free.
    """

    failures_per_address: Annotated[
        str, Meta(description="Failed sign-ins from one address; then only keys that were good before are looked at.")
    ] = "10/minute"
    challenges_per_agent: Annotated[
        str, Meta(description="Challenges for one agent: each connect with a key pair asks for one.")
    ] = "30/minute"
    challenges_per_address: Annotated[
        str, Meta(description="Challenges for one address; a whole fleet behind it comes back at once after a restart.")
    ] = "600/minute"
    checks_per_address: Annotated[str, Meta(description="Calls of /api/connect/check from one address.")] = "10/minute"
    free: Plan = FREE
    pro: Plan = PRO
    scale: Plan = SCALE
    enterprise: Plan = ENTERPRISE
    unlimited: Plan = UNLIMITED

    def __post_init__(self) -> None:
        for name in ("failures_per_address", "challenges_per_agent", "challenges_per_address", "checks_per_address"):
            try:
                parse_rates(getattr(self, name))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None

    def plan(self, name: str | None) -> Plan:
        """The plan of this name; an unknown one is free."""
        return {
            "pro": self.pro, "scale": self.scale, "enterprise": self.enterprise, "unlimited": self.unlimited,
        }.get(name or "", self.free)  # fmt: skip

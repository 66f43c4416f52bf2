"""The plans, as data: what a tenant may use, and how long its past is kept.

Source: wire protocol 6.3 and 6.5. `[limits.<plan>]` overrides any number.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ringforge_core.limits.rates import OFF, parse_rates
from ringforge_core.plugin.records import Feature, Quota

RESOURCES = ("connected_agents", "messages_today", "memory_entries", "fleets", "storage_bytes")
DAILY = frozenset({"messages_today"})
"""These begin anew at 00:00 UTC; of the others a tenant has what it has."""


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Quotas are numbers or "unlimited"; rates are texts such as "600/minute; 60/second" (both hold) or "off"."""

    connected_agents: Annotated[Quota, Meta(description="Distinct agents that are connected at once.")] = "unlimited"
    messages_today: Annotated[Quota, Meta(description="Accepted messages a day, from 00:00 UTC.")] = "unlimited"
    memory_entries: Annotated[Quota, Meta(description="Live entries in the memories of all fleets.")] = "unlimited"
    fleets: Annotated[Quota, Meta(description="Fleets.")] = "unlimited"
    storage_bytes: Annotated[Quota, Meta(description="Bytes of stored files.")] = "unlimited"
    retention_hours: Annotated[
        float | Literal["hub"],
        Meta(description='How long events and messages are kept; "hub": as [event_bus] retention_hours says.'),
    ] = "hub"
    agent_rate: Annotated[str, Meta(description="Events of any kind that one agent may send.")] = OFF
    key_rate: Annotated[str, Meta(description="HTTP requests with one API key.")] = OFF
    address_rate: Annotated[str, Meta(description="Connects and joins from one address.")] = OFF
    features: Annotated[
        tuple[Feature, ...],
        Meta(description='What is included: "single_sign_on", that people sign in at the tenant\'s own identity provider.'),
    ] = ()
    event_rates: Annotated[
        Literal["declared", "off"],
        Meta(description='"declared": each event\'s own rate per agent holds, see the AsyncAPI document.'),
    ] = "off"
    rate_of: Annotated[
        dict[str, str],
        Meta(description='Rates of single events instead of the declared ones: {"memory:set" = "200/minute"}.'),
    ] = {}

    def __post_init__(self) -> None:
        for resource in RESOURCES:
            quota = getattr(self, resource)
            if quota != "unlimited" and quota < 0:
                raise ValueError(f'{resource}: expected 0 or more, or "unlimited"')
        if self.retention_hours != "hub" and self.retention_hours <= 0:
            raise ValueError('retention_hours: expected more than 0, or "hub"')
        for name in ("agent_rate", "key_rate", "address_rate"):
            _check_rate(name, getattr(self, name))
        for rate in self.rate_of.values():
            _check_rate("rate_of", rate)

    def limit(self, resource: str) -> int | None:
        """The quota of a resource; None when it is unlimited."""
        quota: Quota = getattr(self, resource)
        return None if quota == "unlimited" else quota

    @property
    def retention(self) -> timedelta | None:
        """How long events and messages are kept; None when the plan leaves it to the hub."""
        return None if self.retention_hours == "hub" else timedelta(hours=self.retention_hours)


def _check_rate(name: str, rate: str) -> None:
    try:
        parse_rates(rate)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _rated(
    *, connected_agents: Quota, messages: Quota, memory: Quota, fleets: Quota, storage: Quota, days: float,
    features: tuple[Feature, ...] = (),
) -> Plan:  # fmt: skip
    """A plan of the table of 6.3, with the rates of 6.5, which are the same for all of them."""
    return Plan(
        connected_agents=connected_agents, messages_today=messages, memory_entries=memory, fleets=fleets,
        storage_bytes=storage, retention_hours=24 * days, agent_rate="600/minute; 60/second", key_rate="60/minute",
        address_rate="30/minute", event_rates="declared", features=features,
    )  # fmt: skip


_GIB = 1024**3

FREE = _rated(connected_agents=10, messages=50_000, memory=5_000, fleets=1, storage=_GIB, days=1)
PRO = _rated(connected_agents=100, messages=500_000, memory=100_000, fleets=5, storage=25 * _GIB, days=7)
SCALE = _rated(
    connected_agents=1_000, messages=5_000_000, memory=1_000_000, fleets=25, storage=250 * _GIB, days=30,
    features=("single_sign_on",),
)  # fmt: skip
ENTERPRISE = _rated(
    connected_agents="unlimited", messages="unlimited", memory="unlimited", fleets="unlimited", storage="unlimited",
    days=90, features=("single_sign_on",),
)  # fmt: skip
UNLIMITED = Plan(features=("single_sign_on",))
"""For who runs the hub himself."""

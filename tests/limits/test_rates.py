"""Rates by the clock of the library: what passes, what is refused and for how long, and what is forgotten."""

from __future__ import annotations

from types import SimpleNamespace

import limits.storage.base
import limits.storage.memory
import limits.strategies
import pytest

from ringforge_core.errors import LimitReached, PluginError
from ringforge_core.limits import LimitsSettings, Plan, rates
from ringforge_core.limits.rates import SWEEP_SECONDS, RateLimiter, Windows
from ringforge_core.limits.sign_in import SignInGuard
from ringforge_core.plugin import Call, Capability, Reply, Request, event
from ringforge_core.plugin.capability import NoSettings
from ringforge_core.socket.dispatch import BoundEvent
from ringforge_core.socket.measures import EventMeasure


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_007.3

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (limits.storage.base, limits.storage.memory, limits.strategies, rates):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock.time), raising=False)
    return clock


def passed(limiter: RateLimiter, rate: str, times: int, *key: str) -> int:
    return sum(limiter.check(rate, *key) is None for _ in range(times))


def test_a_rate_lets_through_exactly_its_number(clock: Clock) -> None:
    limiter = RateLimiter()
    assert passed(limiter, "50/minute", 200, "agent", "ag_1") == 50
    assert passed(limiter, "50/minute", 10, "agent", "ag_2") == 10


def test_after_its_time_a_window_is_free_again(clock: Clock) -> None:
    limiter = RateLimiter()
    assert passed(limiter, "50/minute", 60, "ag_1") == 50
    clock.now += 121
    assert passed(limiter, "50/minute", 60, "ag_1") == 50


def test_d34_there_is_no_double_burst_where_two_windows_meet(clock: Clock) -> None:
    limiter = RateLimiter()
    clock.now += 59 - clock.now % 60
    assert passed(limiter, "50/minute", 60, "ag_1") == 50
    clock.now += 2
    assert passed(limiter, "50/minute", 60, "ag_1") <= 2


def test_who_waits_as_long_as_told_gets_through(clock: Clock) -> None:
    limiter = RateLimiter()
    for _ in range(20):
        passed(limiter, "7/minute", 20, "ag_1")
        refusal = limiter.check("7/minute", "ag_1")
        assert refusal is not None
        assert refusal.reason == "rate_limited"
        clock.now += refusal.extras["retry_after_ms"] / 1000
        assert limiter.check("7/minute", "ag_1") is None


def test_a_burst_is_bounded_within_its_rate(clock: Clock) -> None:
    limiter = RateLimiter()
    rate = "600/minute; 60/second"
    assert passed(limiter, rate, 100, "ag_1") == 60
    for _ in range(50):
        clock.now += 1
        assert passed(limiter, rate, 100, "ag_1") <= 60
    assert passed(limiter, rate, 100, "ag_1") == 0, "600 have passed in this minute"


def test_a_peek_counts_nothing(clock: Clock) -> None:
    limiter = RateLimiter()
    assert [limiter.peek("1/minute", "a") for _ in range(5)] == [None] * 5
    assert limiter.check("1/minute", "a") is None
    assert isinstance(limiter.peek("1/minute", "a"), LimitReached)


def test_off_limits_nothing() -> None:
    assert passed(RateLimiter(), "off", 10_000, "ag_1") == 10_000


def test_d114_what_is_over_is_forgotten(clock: Clock) -> None:
    windows = Windows()
    for n in range(1_000):
        windows.incr(f"agent-{n}", 60)
    assert len(windows.storage) == 1_000
    clock.now += SWEEP_SECONDS + 61
    windows.incr("agent-x", 60)
    assert set(windows.storage) == set(windows.expirations) == {"agent-x"}


GUESS, GOOD = "rf_live_guess", "rf_live_good"


def refused(guard: SignInGuard, address: str | None, secret: str | None = None) -> bool:
    try:
        guard.check(address, secret)
    except LimitReached:
        return True
    return False


def test_failures_close_the_door_for_their_address_alone(clock: Clock) -> None:
    guard = SignInGuard(RateLimiter(), LimitsSettings())
    for _ in range(10):
        assert not refused(guard, "192.0.2.7", GUESS)
        guard.failed("192.0.2.7")
    assert refused(guard, "192.0.2.7", GUESS)
    assert not refused(guard, "192.0.2.8", GUESS)
    assert not refused(guard, None, GUESS)
    clock.now += 121
    assert not refused(guard, "192.0.2.7", GUESS)


def test_a_key_that_was_good_passes_a_closed_door(clock: Clock) -> None:
    guard = SignInGuard(RateLimiter(), LimitsSettings())
    guard.succeeded("192.0.2.7", Plan(), GOOD)
    for _ in range(20):
        guard.failed("192.0.2.7")
    assert refused(guard, "192.0.2.7", GUESS)
    assert not refused(guard, "192.0.2.7", GOOD)


def test_an_ipv6_client_is_its_network(clock: Clock) -> None:
    guard = SignInGuard(RateLimiter(), LimitsSettings())
    for n in range(10):
        guard.failed(f"2001:db8:1:2::{n:x}")
    assert refused(guard, "2001:db8:1:2:ffff::1")
    assert not refused(guard, "2001:db8:1:3::1")


def test_an_unlimited_plan_joins_with_a_thousand_agents_at_once(clock: Clock) -> None:
    guard = SignInGuard(RateLimiter(), LimitsSettings())
    settings = LimitsSettings()
    for _ in range(1_000):
        guard.check("192.0.2.7", GOOD)
        guard.succeeded("192.0.2.7", settings.unlimited, GOOD)
    for _ in range(30):
        guard.succeeded("192.0.2.7", settings.free, GOOD)
    with pytest.raises(LimitReached):
        guard.succeeded("192.0.2.7", settings.free, GOOD)


class Nothing(Request):
    pass


class WrongCounter(Capability[NoSettings]):
    name = "wrong"

    @event("wrong:one", counts="messages")
    def one(self, call: Call, request: Nothing) -> Reply:
        return Reply()

    @event("wrong:two", rate="often")
    def two(self, call: Call, request: Nothing) -> Reply:
        return Reply()


@pytest.mark.parametrize(("position", "complaint"), [(0, "no quota"), (1, "expected a rate such as")])
def test_d44_a_declaration_with_an_unknown_quota_or_rate_is_refused_at_the_start(position: int, complaint: str) -> None:
    declaration = WrongCounter.declarations()[position]
    with pytest.raises(PluginError, match=complaint):
        BoundEvent(declaration, WrongCounter(None, NoSettings()), EventMeasure())  # type: ignore[arg-type]  # needs no hub

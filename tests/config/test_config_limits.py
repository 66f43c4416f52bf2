"""The table [limits]: every number and rate can be raised or switched off, per plan."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ringforge_core.config import load_config
from ringforge_core.errors import ConfigError


def test_what_is_set_changes_and_the_plans_keep_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "ringforge.toml"
    file.write_text(
        '[limits.free]\nmessages_today = 7\nfleets = "unlimited"\n[limits.pro.rate_of]\n"memory:set" = "9/minute"\n'
    )
    limits = load_config(file, {}).limits
    assert (limits.free.messages_today, limits.free.limit("fleets"), limits.free.connected_agents) == (7, None, 10)
    assert (limits.pro.rate_of, limits.pro.connected_agents) == ({"memory:set": "9/minute"}, 100)
    assert limits.scale.connected_agents == 1_000


def test_how_long_the_past_is_kept_is_a_matter_of_the_plan() -> None:
    given = {"RINGFORGE__LIMITS__PRO__RETENTION_HOURS": "1.5", "RINGFORGE__LIMITS__SCALE__RETENTION_HOURS": "hub"}
    limits = load_config(None, given).limits
    assert (limits.pro.retention, limits.scale.retention) == (timedelta(hours=1.5), None)


def test_the_environment_overrides_a_plan() -> None:
    given = {"MESSAGES_TODAY": "37", "FLEETS": "unlimited", "AGENT_RATE": "off", "RATE_OF": '{"a:b" = "5/second"}'}
    free = load_config(None, {f"RINGFORGE__LIMITS__FREE__{name}": value for name, value in given.items()}).limits.free
    assert (free.messages_today, free.fleets, free.agent_rate, free.rate_of) == (
        37,
        "unlimited",
        "off",
        {"a:b": "5/second"},
    )


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("FREE__MESSAGES_TODAY", "-1", '[limits.free] messages_today: expected 0 or more, or "unlimited"'),
        ("FREE__RETENTION_HOURS", "0", '[limits.free] retention_hours: expected more than 0, or "hub"'),
        (
            "FREE__AGENT_RATE",
            "often",
            '[limits.free] agent_rate: expected a rate such as "60/minute" or "off", got "often"',
        ),
        (
            "FAILURES_PER_ADDRESS",
            "x",
            '[limits] failures_per_address: expected a rate such as "60/minute" or "off", got "x"',
        ),
        ("PRO__FLEET", "2", '[limits.pro] has no key "fleet"; did you mean "fleets"?'),
        ("FREE__FLEETS", "many", "[limits.free] fleets: "),
    ],
)
def test_a_wrong_limit_names_its_table_and_key(name: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(None, {f"RINGFORGE__LIMITS__{name}": value})
    assert complaint in str(error.value)

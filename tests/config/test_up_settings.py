"""`./ringforge up` without a file of settings: what it runs is there, and holds all that a hub has by default."""

from __future__ import annotations

from pathlib import Path

from ringforge_core.config import Config, load_config, load_plugins
from ringforge_core.plugin.manager import PluginManager

UP = Path(__file__).resolve().parents[2] / "ringforge.up.toml"


def test_a_checkout_comes_up_with_everything_of_the_default_and_people() -> None:
    config = load_config(UP, {})
    loaded = [plugin.name for plugin in load_plugins(config, PluginManager(), {}).capabilities]
    default = Config().capabilities.use
    assert loaded[: len(default)] == list(default)
    assert {"accounts", "auth_passkeys", "dashboard"} <= set(loaded)

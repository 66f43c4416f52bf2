"""`ringforge.example.toml` holds every setting of core and of the plugins of this workspace, as it is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ringforge_core.config import Config, load_config, load_plugins
from ringforge_core.config.example import example_toml
from ringforge_core.config.fields import Setting, settings_of
from ringforge_core.plugin.manager import InstalledPlugin, PluginManager

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "ringforge.example.toml"


def workspace_plugins() -> list[InstalledPlugin]:
    """The plugins of this repository; a skip when one is not installed, for then the file cannot be judged."""
    names = set()
    for project in [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]:
        names |= tomllib.loads(project.read_text())["project"].get("entry-points", {}).get("ringforge.plugins", {}).keys()
    found = [plugin for plugin in PluginManager().installed() if plugin.entry_point in names]
    if missing := names - {plugin.entry_point for plugin in found}:
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")
    return found


def test_the_example_is_what_the_settings_say() -> None:
    written = example_toml(PluginManager(), workspace_plugins())
    assert EXAMPLE.read_text() == written, "renew it: ringforge check-config --example > ringforge.example.toml"


def test_every_setting_is_described_and_has_a_default_or_an_example() -> None:
    manager = PluginManager()
    settings: list[Setting] = []
    for name, table in Config.tables().items():
        settings += settings_of(table, (name,))
    for plugin in workspace_plugins():
        is_capability = plugin.port == "capability"
        loaded = manager.capability(plugin.name) if is_capability else manager.adapter(plugin.port, plugin.name)
        settings += settings_of(loaded.settings_type, (plugin.port, plugin.name))
    text = EXAMPLE.read_text()
    assert [f"{setting.table} {setting.key}" for setting in settings if not setting.description] == []
    assert [f"{setting.table} {setting.key}" for setting in settings if f"\n#{setting.key} = " not in text] == []


def test_the_example_with_every_line_taken_in_is_the_default(tmp_path: Path) -> None:
    workspace_plugins()
    everything = tmp_path / "ringforge.toml"
    optional = r"(node|public_url|operator_token|tls_certificate|tls_key)"
    live = re.sub(rf"^#(?!{optional} )(\w+ = |\[)", r"\2", EXAMPLE.read_text(), flags=re.MULTILINE)
    everything.write_text(live)
    given, default = load_config(everything, {}), load_config(None, {"RINGFORGE_CONFIG": str(EXAMPLE)})
    for table in ("hub", "log", "store"):
        assert getattr(given, table) == getattr(default, table)
    assert given.capabilities.use == default.capabilities.use
    assert load_plugins(given, PluginManager(), {}) == load_plugins(default, PluginManager(), {})

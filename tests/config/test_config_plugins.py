"""The tables of plugins, checked against what each plugin declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from throwaway_plugins import PluginDirectory

from ringforge_core.config import Plugins, load_config, load_plugins
from ringforge_core.errors import ConfigError, PluginError
from ringforge_core.plugin import Secret
from ringforge_core.plugin.manager import PluginManager

IN_USE = '[capabilities]\nuse = []\n[event_bus]\nuse = "nats"\n'


@pytest.fixture(autouse=True)
def nats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin_directory: PluginDirectory) -> PluginDirectory:
    monkeypatch.chdir(tmp_path)
    plugin_directory.install("acme-nats", {"event_bus.nats": "acme_nats"})
    return plugin_directory


def plugins(toml: str, environ: dict[str, str] | None = None, *, check_unused: bool = False) -> Plugins:
    Path("ringforge.toml").write_text(toml)
    environ = environ or {}
    return load_plugins(load_config(None, environ), PluginManager(), environ, check_unused=check_unused)


def test_the_adapter_in_use_gets_its_table() -> None:
    loaded = plugins(
        IN_USE + '[event_bus.nats]\nservers = ["a:1"]\npassword = "env:SASL"\n[event_bus.nats.options]\nacks = "all"\n',
        {
            "SASL": "hunter2",
            "RINGFORGE__EVENT_BUS__NATS__RETRIES": "7",
            "RINGFORGE__EVENT_BUS__NATS__OPTIONS__LINGER": "5",
            "RINGFORGE__EVENT_BUS__NATS__PARTITIONS__ACTIVITY": "5",
            "RINGFORGE__EVENT_BUS__NATS__CLUSTERS__EU__REGION": "north",
            "RINGFORGE__EVENT_BUS__NATS__CLUSTERS__EU__WEIGHT": "2",
        },
    ).adapter("event_bus")
    assert loaded.name == "nats"
    assert loaded.settings.servers == ("a:1",)
    assert loaded.settings.retries == 7
    assert loaded.settings.password == Secret("hunter2")
    assert loaded.settings.options == {"acks": "all", "linger": "5"}
    assert loaded.settings.partitions == {"activity": 5}
    assert [(name, one.region, one.weight) for name, one in loaded.settings.clusters.items()] == [("eu", "north", 2)]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", '[event_bus.nats] needs the key "servers"'),
        ("servers = 'a:1'", '[event_bus.nats] servers: expected a list, got str "a:1"'),
        ("servers = []\nretry = 1", '[event_bus.nats] has no key "retry"; did you mean "retries"?'),
        ("servers = []\nretries = -1", "[event_bus.nats] retries: expected int >= 0, got int -1"),
        ("servers = []\npassword = 'file:none'", "[event_bus.nats] password: cannot read the file none"),
        ("servers = []\n[event_bus.nats.clusters.eu]\nweight = 1", '[event_bus.nats.clusters.eu] needs the key "region"'),
        (
            "servers = []\n[event_bus.nats.clusters.eu]\nregion = 'north'\nwieght = 2",
            '[event_bus.nats.clusters.eu] has no key "wieght"; did you mean "weight"?',
        ),
        ("servers = []\nclusters = {eu = 1}", "[event_bus.nats.clusters.eu] must be a table, got int 1"),
        ("servers = []\n[event_bus.nats.options]\nacks = 1", "[event_bus.nats] options: expected str at [...], got int"),
    ],
)
def test_a_problem_in_a_plugins_table_names_it(table: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins(f"{IN_USE}[event_bus.nats]\n{table}\n")
    assert str(caught.value).startswith(f"ringforge.toml: {problem}")


def test_a_missing_plugin_alone_is_a_plugin_error() -> None:
    with pytest.raises(PluginError, match="no such plugin"):
        plugins('[capabilities]\nuse = []\n[event_bus]\nuse = "zeromq"\n')


def test_every_plugin_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        plugins('[event_bus]\nuse = "nats"\n[event_bus.nats]\n[capabilities]\nuse = ["taks", "filse"]\n')
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "pip install ringforge-taks" in caught.value.fix


def test_a_table_of_a_plugin_that_is_not_in_use_imports_nothing(nats: PluginDirectory) -> None:
    nats.install("acme-rabbit", {"event_bus.rabbit": "acme_rabbit"})
    loaded = plugins(IN_USE + "[event_bus.nats]\nservers = []\n[event_bus.rabbit]\nnonsense = 1\n")
    assert loaded.warnings == ()
    assert nats.imported() == {"acme_nats"}


def test_a_check_looks_at_that_table_too(nats: PluginDirectory) -> None:
    nats.install("acme-rabbit", {"event_bus.rabbit": "acme_rabbit"})
    with pytest.raises(ConfigError, match=r'\[event_bus.rabbit\] has no key "nonsense"'):
        plugins(
            IN_USE + "[event_bus.nats]\nservers = []\n[event_bus.rabbit]\nservers = []\nnonsense = 1\n", check_unused=True
        )


def test_a_table_of_a_plugin_that_is_not_there_is_a_warning() -> None:
    loaded = plugins(IN_USE + "[event_bus.nats]\nservers = []\n[event_bus.nast]\nservers = []\n")
    assert loaded.warnings == (
        'ringforge.toml: [event_bus.nast] is not used, and no plugin "nast" is installed; did you mean [event_bus.nats]?',
    )

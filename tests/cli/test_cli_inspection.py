"""`plugins`, `check-config` and `asyncapi` show what this hub is made of."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from command_line import Run
from throwaway_plugins import PluginDirectory


def test_plugins_are_listed_with_what_is_in_use(run: Run, plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"}, "raise RuntimeError('imported')")
    listed = {f"{plugin['port']}.{plugin['name']}": plugin for plugin in run("plugins", "--json").json}
    assert listed["capability.presence"]["in_use"] is True
    assert listed["capability.presence"]["source"] == "core"
    acme = listed["event_bus.acme"]
    assert (acme["in_use"], acme["version"], acme["distribution"]) == (False, "1.2.3", "acme-bus")

    lines = run("plugins").out.splitlines()
    assert lines[0].split() == ["NAME", "PORT", "IN", "USE", "VERSION", "DISTRIBUTION", "SOURCE"]
    (row,) = [line for line in lines if line.startswith("acme ")]
    assert row.split()[:3] == ["acme", "event_bus", "1.2.3"]
    assert row.endswith(str(plugin_directory.path)), "a row stays on one line in a pipe"


@pytest.fixture
def acme(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"})


@pytest.mark.usefixtures("acme")
def test_check_config_shows_each_value_and_its_origin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ringforge.toml").write_text(
        "[event_bus]\nuse = 'acme'\n[event_bus.acme]\nservers = ['a:1']\npassword = 'hunter2'\n[capabilities]\nuse = []\n"
    )
    monkeypatch.setenv("RINGFORGE__LOG__LEVEL", "debug")
    shown = run("check-config")
    assert shown.code == 0
    rows = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in shown.out.splitlines()}
    assert rows["[event_bus.acme] servers"].split() == ['["a:1"]', "ringforge.toml"]
    assert rows["[event_bus.acme] retries"].split() == ["3", "default"]
    assert rows["[event_bus.acme] password"].split() == ['"[redacted]"', "ringforge.toml"]
    assert rows["[log] level"].split() == ['"debug"', "RINGFORGE__LOG__LEVEL"]
    assert "hunter2" not in shown.out + shown.err


@pytest.mark.usefixtures("acme")
def test_check_config_warns_of_a_table_that_nobody_reads(run: Run) -> None:
    Path("ringforge.toml").write_text(
        "[event_bus]\nuse = 'acme'\n[event_bus.acme]\nservers = []\n[event_bus.acmee]\n[capabilities]\nuse = []\n"
    )
    shown = run("check-config", "--json")
    assert shown.code == 0
    assert "did you mean [event_bus.acme]?" in shown.json["warnings"][0]
    assert shown.err.startswith("warning: ringforge.toml: [event_bus.acmee] is not used")


def test_check_config_writes_an_example_that_it_accepts(run: Run) -> None:
    written = run("check-config", "--example").out
    assert set(tomllib.loads(written)) >= {"hub", "log", "store", "event_bus", "capabilities"}
    Path("ringforge.toml").write_text(written)
    assert run("check-config").code == 0


def test_asyncapi_is_one_json_document_with_the_events(run: Run) -> None:
    document = run("asyncapi", "--url", "wss://hub.example.org").json
    assert document["asyncapi"].startswith("3.")
    assert "activity:broadcast" in str(document)
    assert "hub.example.org" in str(document["servers"])

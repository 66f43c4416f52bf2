"""A plugin brings commands of its own, which know what the hub's configuration says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Run
from throwaway_plugins import ADAPTER, PluginDirectory

COMMAND = """
    import rich_click as click

    @click.command()
    @click.pass_obj
    def acme(configured):
        "Tell where the broker is."
        print(configured.adapter_settings("event_bus", "acme").servers)
"""


@pytest.fixture(autouse=True)
def _acme(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"}, ADAPTER + COMMAND)
    (entry_points,) = plugin_directory.path.glob("acme_bus-*.dist-info/entry_points.txt")
    with entry_points.open("a") as file:
        file.write("[ringforge.commands]\nacme = acme_bus:acme\nserve = acme_bus:acme\n")


def test_it_has_the_plugins_table(run: Run) -> None:
    Path("hub.toml").write_text(
        "[event_bus]\nuse = 'acme'\n[event_bus.acme]\nservers = ['a:1']\n[capabilities]\nuse = []\n"
    )
    ended = run("--config", "hub.toml", "acme")
    assert (ended.code, ended.out) == (0, "('a:1',)\n"), ended.err


def test_it_is_in_the_help(run: Run) -> None:
    assert "Tell where the broker is." in run("--help").out


def test_it_cannot_take_the_place_of_a_command_of_core(run: Run) -> None:
    assert "Tell where the broker is." not in run("serve", "--help").out


def test_a_plugin_that_is_not_in_use_is_78_with_the_line_to_write(run: Run) -> None:
    ended = run("acme")
    assert ended.code == 78
    assert 'use = "acme"' in ended.err

"""Plugins are found without an import, loaded one by one, and fail with one error that names them."""

from __future__ import annotations

from typing import Any

import pytest
from throwaway_plugins import ADAPTER, PluginDirectory

from ringforge_core.errors import PluginError
from ringforge_core.plugin.manager import PluginManager
from ringforge_core.ports.event_bus import EventBus

CAPABILITY = """
    from ringforge_core.plugin import Call, Capability, Reply, Request, event, hookimpl

    class Say(Request):
        text: str

    class Said(Reply):
        text: str

    class Echo(Capability):
        name = "echo"

        @event("echo:say")
        async def say(self, call: Call, request: Say) -> Said:
            return Said(text=request.text)

    @hookimpl
    def ringforge_capability():
        return Echo
"""


def failure(port: str, name: str) -> PluginError:
    with pytest.raises(PluginError) as caught:
        PluginManager().capability(name) if port == "capability" else PluginManager().adapter(port, name)
    return caught.value


def test_what_is_installed_is_listed_without_importing_it(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"}, "raise RuntimeError('imported')", version="4.5")
    (found,) = [plugin for plugin in PluginManager().installed() if plugin.name == "acme"]
    assert (found.port, found.module, found.distribution, found.version) == ("event_bus", "acme_bus", "acme-bus", "4.5")
    assert found.source == str(plugin_directory.path)
    assert plugin_directory.imported() == set()


def test_an_adapter_is_loaded_and_no_other_plugin_is_imported(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"})
    plugin_directory.install("other-bus", {"event_bus.other": "other_bus"})
    adapter = PluginManager().adapter("event_bus", "acme")
    assert adapter.port is EventBus
    assert {"servers", "retries"} < set(adapter.settings_type.__struct_fields__)
    assert plugin_directory.imported() == {"acme_bus"}


def test_a_broken_neighbour_harms_nobody(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("broken-bus", {"event_bus.broken": "broken_bus"}, "import nowhere_to_be_found")
    plugin_directory.install("acme-echo", {"capability.echo": "acme_echo"}, CAPABILITY)
    capability = PluginManager().capability("echo")
    assert [declaration.name for declaration in capability.declarations()] == ["echo:say"]


def test_one_module_may_bring_several_plugins(plugin_directory: PluginDirectory) -> None:
    both = ADAPTER + CAPABILITY
    plugin_directory.install("acme", {"event_bus.acme": "acme_both", "capability.echo": "acme_both"}, both)
    manager = PluginManager()
    assert manager.adapter("event_bus", "acme").port is EventBus
    assert manager.capability("echo").name == "echo"


def test_a_missing_adapter_names_the_setting_the_known_ones_and_the_package(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"})
    error = failure("event_bus", "nats")
    assert str(error).startswith('[event_bus] use = "nats": no such plugin is installed; installed: acme')
    assert "pip install ringforge-eventbus-nats" in error.fix


def test_a_misspelt_name_is_answered_with_the_nearest(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.nats": "acme_bus"})
    assert '"nats"' in failure("event_bus", "Nast").fix


def test_a_missing_capability_names_its_package() -> None:
    error = failure("capability", "tasks")
    assert str(error).startswith('[capabilities] use has "tasks": no such plugin is installed')
    assert "pip install ringforge-tasks" in error.fix


HOOK = """
    from ringforge_core.plugin import Adapter, NoSettings, hookimpl
    from ringforge_core.ports.store import Store

    @hookimpl
    def ringforge_adapter():
        {body}
"""


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit('no license')", "SystemExit: no license"),
        ("", "acme_bus has no hook ringforge_adapter"),
        (HOOK.format(body="raise KeyError('x')"), "KeyError: 'x'"),
        (HOOK.format(body="return 42"), "returned int, not an Adapter"),
        (
            HOOK.format(body="return Adapter(port=Store, settings_type=NoSettings, create=print)"),
            "its adapter implements Store, not EventBus",
        ),
        (HOOK.replace("ringforge_adapter", "ringforge_adaptor").format(body="return 42"), "ringforge_adaptor"),
        (HOOK.replace("ringforge_adapter()", "ringforge_adapter(hub)").format(body="return 42"), "hub"),
    ],
    ids=["import", "exit", "no-hook", "hook-raises", "wrong-object", "wrong-port", "misspelt-hook", "hook-arguments"],
)
def test_a_broken_plugin_is_one_error_that_names_it(plugin_directory: PluginDirectory, source: str, cause: str) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"}, source)
    error = failure("event_bus", "acme")
    assert str(error).startswith('[event_bus] use = "acme": the plugin event_bus.acme of acme-bus 1.2.3 is broken: ')
    assert cause in str(error)
    assert "acme-bus" in error.fix


def test_the_cause_is_chained(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"}, "1 / 0")
    assert isinstance(failure("event_bus", "acme").__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"return Echo": "return Echo(None, None)"}, "returned Echo, not a Capability class"),
        ({'name = "echo"': 'name = "ekko"'}, "another name than its entry point"),
        ({"request: Say": "request: str"}, "must take `request`, a subclass of Request"),
        ({"request: Say": "request: Missing"}, "NameError"),
    ],
    ids=["instance", "other-name", "signature", "annotation"],
)
def test_a_broken_capability_is_one_error(plugin_directory: PluginDirectory, change: dict[str, str], cause: str) -> None:
    source: Any = "from __future__ import annotations\n" + CAPABILITY.replace("\n    ", "\n")
    for old, new in change.items():
        source = source.replace(old, new)
    plugin_directory.install("acme-echo", {"capability.echo": "acme_echo"}, source)
    error = failure("capability", "echo")
    assert "the plugin capability.echo of acme-echo 1.2.3 is broken" in str(error)
    assert cause in str(error)


def test_two_distributions_of_one_name_are_an_error_and_neither_is_imported(plugin_directory: PluginDirectory) -> None:
    plugin_directory.install("acme-bus", {"event_bus.acme": "acme_bus"})
    plugin_directory.install("fake-bus", {"event_bus.acme": "fake_bus"})
    error = failure("event_bus", "acme")
    assert "acme-bus and fake-bus both bring a plugin of this name" in str(error)
    assert plugin_directory.imported() == set()

"""Real distributions for one test: a module and its `.dist-info` in a directory that is put on `sys.path`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import invalidate_caches
from pathlib import Path
from textwrap import dedent

import pytest

ADAPTER = """
    import msgspec
    from typing import Annotated
    from ringforge_core.plugin import Adapter, Secret, hookimpl
    from ringforge_core.ports.event_bus import EventBus

    class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        region: Annotated[str, msgspec.Meta(description="Where it is.", examples=["north"])]
        weight: Annotated[int, msgspec.Meta(description="How much of the load it takes.", ge=0)] = 1

    class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        servers: Annotated[tuple[str, ...], msgspec.Meta(description="Where the broker is.", examples=[["localhost:9092"]])]
        retries: Annotated[int, msgspec.Meta(description="How often to try again.", ge=0)] = 3
        password: Annotated[Secret | None, msgspec.Meta(description="For SASL.", examples=["env:KAFKA_PASSWORD"])] = None
        options: Annotated[dict[str, str], msgspec.Meta(description="Passed on to the client.")] = {}
        partitions: Annotated[dict[str, int], msgspec.Meta(description="How many, by topic.")] = {}
        clusters: Annotated[dict[str, Cluster], msgspec.Meta(description="By name.", examples=["eu"])] = {}

    @hookimpl
    def ringforge_adapter() -> Adapter:
        return Adapter(port=EventBus, settings_type=Settings, create=lambda settings, context: None)
"""
"""An event bus with a required setting, a number, a secret and a table of its own."""


class PluginDirectory:
    """Installs distributions into `path`, which must be on `sys.path`; `forget` what was imported from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: list[str] = []

    def install(
        self, distribution: str, entry_points: Mapping[str, str], source: str = ADAPTER, *, version: str = "1.2.3"
    ) -> None:
        """`entry_points` maps `event_bus.nats` to the name of the module that gets `source`."""
        info = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [f"{name} = {module}" for name, module in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[ringforge.plugins]", *lines, ""]))
        for module in set(entry_points.values()):
            (self.path / f"{module}.py").write_text(dedent(source))
            self.modules.append(module)
        invalidate_caches()  # else a module of the same name, of the test before, may hide it

    def imported(self) -> set[str]:
        return {module for module in self.modules if module in sys.modules}

    def forget(self) -> None:
        for module in self.modules:
            sys.modules.pop(module, None)


@pytest.fixture
def plugin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginDirectory]:
    """An empty directory on `sys.path`; what a test installs there is gone after it."""
    directory = PluginDirectory(tmp_path / "site")
    monkeypatch.syspath_prepend(directory.path)
    yield directory
    directory.forget()

"""A hub loads what its TOML names and no more: without Kafka in it, no Kafka client is imported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distribution, packages_distributions

from architecture.repository import CORE, PLUGINS

LOADED = "import json, sys, ringforge_core.app; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(names: Iterable[str]) -> set[str]:
    """The distributions that these pull in, themselves included; extras and markers are followed generously."""
    seen: set[str] = set()
    waiting = [normal(name) for name in names]
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        try:
            requirements = distribution(name).requires or []
        except ModuleNotFoundError:  # of another platform or an extra that is not installed
            continue
        waiting += [
            normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements if "extra ==" not in requirement
        ]
    return seen


def test_the_hub_imports_no_plugin_and_no_vendors_library() -> None:
    listing = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 — the line above

    of_plugins = required(plugin.name for plugin in PLUGINS) - (required([CORE.name]))
    brought_by = packages_distributions()
    foreign = {
        package: owners
        for package in json.loads(listing.stdout)
        if (owners := {normal(owner) for owner in brought_by.get(package, ())} & of_plugins)
    }
    assert foreign == {}

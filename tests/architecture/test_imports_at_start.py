"""A hub loads what its TOML names and no more: without Kafka in it, no Kafka client is imported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distribution, packages_distributions

from architecture.repository import CORE, PLUGINS, ROOT

SHOW = "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
LOADED = f"import json, sys, ringforge_core.app; {SHOW}"
HUB_FOR_PEOPLE = f"""
import json, os, sys
from ringforge_core.app import Hub
from ringforge_core.config import load_config, load_plugins
from ringforge_core.plugin.manager import PluginManager

config = load_config(None, os.environ)
Hub(config, load_plugins(config, PluginManager(), os.environ)).application()
{SHOW}
"""


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


def modules_after(program: str) -> set[str]:
    environment = {**os.environ, "RINGFORGE_CONFIG": str(ROOT / "ringforge.up.toml")}
    listing = subprocess.run(  # noqa: S603 — one of the programs above
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    return set(json.loads(listing.stdout))


def test_the_hub_imports_no_plugin_and_no_vendors_library() -> None:
    of_plugins = required(plugin.name for plugin in PLUGINS) - (required([CORE.name]))
    brought_by = packages_distributions()
    foreign = {
        package: owners
        for package in modules_after(LOADED)
        if (owners := {normal(owner) for owner in brought_by.get(package, ())} & of_plugins)
    }
    assert foreign == {}


def test_a_hub_for_people_starts_without_what_the_first_of_them_needs() -> None:
    """A password's strength, a passkey, a QR code, a page, a mail, a migration: each would take its part of a second."""
    late = {"aiosmtplib", "alembic", "cryptography", "fido2", "jinja2", "segno", "zxcvbn"}

    assert modules_after(HUB_FOR_PEOPLE) & late == set()

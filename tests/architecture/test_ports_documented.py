"""A port is a contract for people: every verb says what it does, and on a miss what happens."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from abc import ABC

import pytest

import ringforge_core.ports

MODULES = [
    importlib.import_module(f"ringforge_core.ports.{found.name}")
    for found in pkgutil.iter_modules(ringforge_core.ports.__path__)
]
PORTS = [
    value
    for module in MODULES
    for value in vars(module).values()
    if inspect.isclass(value) and issubclass(value, ABC) and value.__module__ == module.__name__
]


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_every_verb_of_a_port_has_a_docstring(port: type) -> None:
    verbs = [name for name, member in vars(port).items() if callable(member) and not name.startswith("_")]
    assert verbs, "a port has verbs"
    assert [name for name in verbs if not inspect.getdoc(getattr(port, name))] == []


def test_each_port_file_says_what_the_port_is_for() -> None:
    assert [module.__name__ for module in MODULES if not module.__doc__] == []

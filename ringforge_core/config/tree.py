"""The configuration before it has types: nested tables, with a note of where each value came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

KeyPath = tuple[str, ...]


class Text(str):
    """A value from the environment or the command line: text, whatever type the setting has."""

    __slots__ = ()


class Origins(msgspec.Struct):
    """Where values came from: a file's name, an environment variable, a command-line option."""

    file: str | None = None
    by_path: dict[KeyPath, str] = {}

    def of(self, path: KeyPath) -> str | None:
        """The origin of a value; None for a default."""
        return self.by_path.get(path)

    def near(self, path: KeyPath) -> str | None:
        """The origin of a value or else of the table around it."""
        return next((self.by_path[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.by_path), None)


class Tree:
    """Tables that can be laid over each other, value by value; the later one wins."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self.origins = Origins()

    def lay_file(self, document: dict[str, Any], name: str) -> None:
        self.root = document
        self.origins.file = name
        self.origins.by_path.update(dict.fromkeys(_paths(document), name))

    def lay_value(self, path: KeyPath, value: Any, origin: str) -> None:
        table = self.root
        for depth, key in enumerate(path[:-1], start=1):
            if not isinstance(table.get(key), dict):
                table[key] = {}
                self.origins.by_path[path[:depth]] = origin
            table = table[key]
        table[path[-1]] = value
        self.origins.by_path[path] = origin


def _paths(table: dict[str, Any], parent: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in table.items():
        yield (*parent, key)
        if isinstance(value, dict):
            yield from _paths(value, (*parent, key))

"""Reads the file, lays the environment and the command line over it, and decodes what core knows."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ringforge_core.config.decode import Decoder
from ringforge_core.config.problems import Problems
from ringforge_core.config.settings import Config
from ringforge_core.config.tree import KeyPath, Text, Tree
from ringforge_core.errors import ConfigError

DEFAULT_FILE = Path("ringforge.toml")
FILE_VARIABLE = "RINGFORGE_CONFIG"
PREFIX = "RINGFORGE__"


class Override(msgspec.Struct, frozen=True):
    """A value from the command line, above file and environment; `origin` is the option that gave it."""

    path: KeyPath
    text: str
    origin: str


def load_config(path: Path | None, environ: Mapping[str, str], overrides: Iterable[Override] = ()) -> Config:
    """The configuration in effect.

    Without `path`: the file that `RINGFORGE_CONFIG` names, else `ringforge.toml` in the working directory, else defaults.
    Raises `ConfigError` with everything that is wrong.
    """
    tree = Tree()
    if file := path or _find_file(environ):
        tree.lay_file(_read(file), str(file))
    for name in sorted(environ):
        if name.startswith(PREFIX):
            tree.lay_value(tuple(name.removeprefix(PREFIX).lower().split("__")), Text(environ[name]), name)
    for override in overrides:
        tree.lay_value(override.path, Text(override.text), override.origin)
    return _decode(tree, environ)


def _decode(tree: Tree, environ: Mapping[str, str]) -> Config:
    problems = Problems(tree.origins)
    decoder = Decoder(problems, environ)
    known = Config.tables()
    tables: dict[str, Any] = {}
    for name, value in tree.root.items():
        if name in known:
            tables[name] = decoder.table(known[name], value, (name,))
        else:
            problems.add_unknown((name,), known)
    problems.raise_any()
    config = Config(**tables, origins=tree.origins)
    return config if tree.origins.of(("store", "url")) else _with_database_in_data_directory(config)


def _with_database_in_data_directory(config: Config) -> Config:
    store = msgspec.structs.replace(config.store, url=f"sqlite:///{config.hub.data_directory}/hub.db")
    return msgspec.structs.replace(config, store=store)


def _find_file(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get(FILE_VARIABLE):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file", fix=f"Check --config and {FILE_VARIABLE}.") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}", fix="Check its path and permissions.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 text (byte {error.start})", fix="Save the file as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(file, str(error)), fix="Correct the TOML there.") from error


def _syntax(file: Path, message: str) -> str:
    """`Invalid value (at line 3, column 7)` with the place in front, as compilers write it."""
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if place is None:
        return f"{file}: {message}"
    line, column = place.groups()
    where = f"line {line}, column {column}" if line else "end of the file"
    return f"{file}: {where}: {message[: place.start()]}"

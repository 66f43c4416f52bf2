"""Tables into structs, key by key, so that one look finds everything that is wrong."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from ringforge_core.config.fields import is_table, named_table, notes, plain_type, table_defaults
from ringforge_core.config.problems import Problems
from ringforge_core.config.references import resolve
from ringforge_core.config.settings import PluginTable
from ringforge_core.config.tree import KeyPath, Text
from ringforge_core.plugin.secret import Secret, redact

Settings = TypeVar("Settings", bound=msgspec.Struct)

_PARSED = (bool, int, float, list, tuple, set, frozenset, dict)


class Decoder:
    """Notes in `problems` what does not fit; `environ` is where `env:` references are looked up."""

    def __init__(self, problems: Problems, environ: Mapping[str, str]) -> None:
        self._problems = problems
        self._environ = environ

    def table(
        self, settings_type: type[Settings], value: Any, path: KeyPath, defaults: Settings | None = None
    ) -> Settings | None:
        """The table at `path` as a struct, or None when something in it is wrong. Absent keys are as in `defaults`."""
        if not isinstance(value, dict):
            self._problems.add_table(path, f"must be a table, got {_describe(value)}")
            return None
        before = len(self._problems)
        table, values = dict(value), dict[str, Any]()
        if issubclass(settings_type, PluginTable):
            values["tables"] = {key: table.pop(key) for key in list(table) if isinstance(table[key], dict)}
        fields = [field for field in msgspec.structs.fields(settings_type) if field.name not in values]
        for field in fields:
            if field.encode_name in table:
                values[field.name] = self._value(field, table.pop(field.encode_name), (*path, field.encode_name))
            elif field.required and defaults is None:
                self._problems.add_table(path, f'needs the key "{field.encode_name}"')
        for unknown in table:
            self._problems.add_unknown((*path, unknown), [field.encode_name for field in fields])
        return None if len(self._problems) > before else self._build(settings_type, values, path, defaults)

    def _build(
        self, settings_type: type[Settings], values: dict[str, Any], path: KeyPath, defaults: Settings | None
    ) -> Settings | None:
        try:
            return settings_type(**({} if defaults is None else msgspec.structs.asdict(defaults)) | values)
        except ValueError as error:  # from its __post_init__
            key, colon, message = str(error).partition(": ")
            if colon and key in settings_type.__struct_fields__:
                self._problems.add((*path, key), redact(message))
            else:
                self._problems.add_table(path, redact(str(error)))
            return None

    def _value(self, field: msgspec.structs.FieldInfo, value: Any, path: KeyPath) -> Any:
        annotation = field.type
        plain = plain_type(annotation)
        if is_table(plain):
            return self.table(plain, value, path, table_defaults(field))
        value = _typed(plain, value)
        if (named := named_table(plain)) is not None and isinstance(value, dict):
            return {name: self.table(named, inner, (*path, name)) for name, inner in value.items()}
        if isinstance(value, str) and _may_be_reference(annotation):
            return self._dereference(value, path)
        if get_origin(plain) is Literal and value not in get_args(plain):
            self._problems.add(path, _not_a_choice(value, get_args(plain)))
            return None
        try:
            return msgspec.convert(value, annotation, dec_hook=self._special)
        except msgspec.ValidationError as error:
            self._problems.add(path, _explain(str(error), value, secret="Secret" in str(annotation)))
            return None

    def _dereference(self, text: str, path: KeyPath) -> str | None:
        try:
            return resolve(text, self._environ).reveal()
        except ValueError as error:
            self._problems.add(path, str(error))
            return None

    def _special(self, kind: type[Any], value: Any) -> Any:
        """The types that msgspec leaves to us; all are written as text."""
        if not isinstance(value, str):
            raise ValueError("Expected `str`")
        return resolve(value, self._environ) if kind is Secret else kind(value)


def _may_be_reference(annotation: Any) -> bool:
    """Whether a `str` is marked `Meta(extra={"reference": True})`: a text that may hold a secret, such as a URL."""
    return any((note.extra or {}).get("reference") for note in notes(annotation))


def _typed(kind: Any, value: Any) -> Any:
    """What a text from the environment means for a setting of this type: itself, a TOML value, or a list with commas."""
    container = get_origin(kind) or kind
    if container is dict and isinstance(value, dict):
        item = (get_args(kind) or (str, str))[1]
        return {key: _typed(plain_type(item), inner) for key, inner in value.items()}
    if not isinstance(value, Text):
        return value
    if not any(option in _PARSED for option in (container, *_options(kind))):
        return str(value)
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        if container in (list, tuple, set, frozenset):
            return [part.strip() for part in value.split(",") if part.strip()]
        return str(value)


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else ()


def _explain(message: str, value: Any, *, secret: bool) -> str:
    """msgspec's message in this file's words, with what was found unless it is secret."""
    text, _, place = message.replace("`", "").partition(" - at $")
    if not text.startswith("Expected"):
        return text + (f" at {place}" if place else "")
    expected, _, got = text.removeprefix("Expected ").partition(", got ")
    if place:
        return f"expected {_words(expected)} at {place}, got {got or 'something else'}"
    return f"expected {_words(expected)}, got {_describe(value, secret=secret)}"


def _words(expected: str) -> str:
    return re.sub(r"\| null$", "or nothing", expected.replace("array", "a list").replace("object", "a table"))


def _not_a_choice(value: Any, choices: tuple[Any, ...]) -> str:
    nearest = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    hint = f'; did you mean "{nearest[0]}"?' if nearest else ""
    return f"expected one of {', '.join(map(str, choices))}, got {_describe(value)}{hint}"


def _describe(value: Any, *, secret: bool = False) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    kind = "str" if isinstance(value, str) else type(value).__name__
    if secret:
        return kind
    return f'{kind} "{redact(value)}"' if isinstance(value, str) else f"{kind} {str(value).lower()}"

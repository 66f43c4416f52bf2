"""What the settings structs say about themselves: keys, descriptions, defaults."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from ringforge_core.config.tree import KeyPath

UNDOCUMENTED = {"tables"}
"""Not a key: the tables of the plugins, see `PluginTable`."""


class Setting(msgspec.Struct, frozen=True):
    """One documented key. `default` is NODEFAULT for a required key and for one that is computed at the start."""

    table: KeyPath
    key: str
    description: str
    default: Any
    examples: tuple[Any, ...]
    required: bool = False


def plain_type(annotation: Any) -> Any:
    """The type without `Annotated` and without `| None`."""
    if get_origin(annotation) is Annotated:
        return plain_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        others = [option for option in get_args(annotation) if option is not type(None)]
        if len(others) == 1:
            return plain_type(others[0])
    return annotation


def notes(annotation: Any) -> list[Meta]:
    """The `Meta` of an annotation."""
    return [note for note in get_args(annotation) if isinstance(note, Meta)] if get_origin(annotation) is Annotated else []


def is_table(annotation: Any) -> bool:
    kind = plain_type(annotation)
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def named_table(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct of a `dict[str, Struct]`: a table for each of several things, called after it."""
    kind = plain_type(annotation)
    inner = get_args(kind)[1:] if get_origin(kind) is dict else ()
    return inner[0] if inner and is_table(inner[0]) else None


def settings_of(
    settings_type: type[msgspec.Struct], table: KeyPath, defaults: msgspec.Struct | None = None
) -> Iterator[Setting]:
    """The keys of a settings struct, those of tables within it after its own. `defaults` are instead of the type's own.

    A named table is shown once, under the name that is its example.
    """
    fields = msgspec.structs.fields(settings_type)
    for field in fields:
        if field.name not in UNDOCUMENTED and not is_table(field.type) and named_table(field.type) is None:
            described = [note for note in notes(field.type) if note.description]
            description = described[0].description if described else None
            examples = tuple(example for note in described for example in note.examples or ())
            default = _default(field) if defaults is None else getattr(defaults, field.name)
            required = field.required and defaults is None
            yield Setting(table, field.encode_name, description or "", default, examples, required)
    for field in fields:
        if is_table(field.type):
            yield from settings_of(plain_type(field.type), (*table, field.encode_name), table_defaults(field))
        elif (named := named_table(field.type)) is not None:
            name = next((example for note in notes(field.type) for example in note.examples or ()), "NAME")
            yield from settings_of(named, (*table, field.encode_name, name))


def table_defaults(field: msgspec.structs.FieldInfo) -> msgspec.Struct | None:
    """What a table within a table has by default, when that is not what its type has."""
    return field.default if isinstance(field.default, msgspec.Struct) else None


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory in (list, dict, set, tuple):
        return field.default_factory()
    return field.default

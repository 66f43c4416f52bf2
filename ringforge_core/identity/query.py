"""A query string with phoenix.js's nested parameters: `agent[name]=a&agent[capabilities][0]=b`."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from ringforge_core.errors import InvalidPayload


def parse_query(query_string: bytes) -> dict[str, Any]:
    """Texts and nested dicts of texts; `[]` counts up as an index would. Empty pieces and empty values are left out.

    Of equal names the last wins. Raises `InvalidPayload` for bytes that are not UTF-8 and for a name that is used as a
    text and as a map.
    """
    root: dict[str, Any] = {}
    for piece in query_string.split(b"&"):
        name, _, value = piece.partition(b"=")
        if name and value:
            _put(root, _path(_decode(name)), _decode(value))
    return root


def _decode(text: bytes) -> str:
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise InvalidPayload("The query is not UTF-8.", fix="Percent-encode parameters as UTF-8.") from None


def _path(name: str) -> list[str]:
    """`a[b][]` -> `["a", "b", ""]`; a name that is not of this form stands for itself."""
    head, bracket, rest = name.partition("[")
    if not (head and bracket and rest.endswith("]")):
        return [name]
    return [head, *rest[:-1].split("][")]


def _put(root: dict[str, Any], path: list[str], value: str) -> None:
    parent: Any = root
    for step in path[:-1]:
        parent = parent.setdefault(step, {})
        if not isinstance(parent, dict):
            raise _used_twice(path)
    last = path[-1] or str(len(parent))
    if isinstance(parent.get(last), dict):
        raise _used_twice(path)
    parent[last] = value


def _used_twice(path: list[str]) -> InvalidPayload:
    return InvalidPayload(
        f"The parameter `{path[0]}` is given both as a text and as a map.",
        fix="Send it as JSON text or as nested parameters, not both.",
        field=path[0],
    )

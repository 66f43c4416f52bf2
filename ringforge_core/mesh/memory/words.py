"""The words that an entry is found by; the same for both databases, whose own ideas of a word differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

INDEXED_CHARACTERS = 20_000
"""Of an entry's text: enough to find it by, and a bound for the work of one change."""
LONGEST_WORD = 100

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # written without spaces: each character is a word
_WORD = re.compile(f"[{_CJK}]|[^\\W_{_CJK}]+")


def words_of(text: str) -> list[str]:
    """The words of any text, in lower case."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(text[:INDEXED_CHARACTERS].casefold())]


def words_of_entry(key: str, value: str) -> list[str]:
    """The words of the key, then those of the value, which is given as JSON text."""
    return words_of(f"{key} {_text_of(value)}")


def _text_of(value: str) -> str:
    if value[0] == '"' and "\\" not in value:
        return value
    try:
        return " ".join(_texts(msgspec.json.decode(value)))
    except msgspec.DecodeError:  # JSON, but of something that Python has not, such as the number 1e999
        return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, str):
        yield value
    else:
        yield msgspec.json.encode(value).decode()

"""The words that an entry is found by; the same for both databases, whose own ideas of a word differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

INDEXED_CHARACTERS = 20_000
"""Of an entry's text: enough to find it by, and a bound for the work of one change."""
GRAM = 3
"""Characters of the pieces that the index knows. A word that is shorter is looked for without it."""

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of any text, in lower case."""
    return _WORD.findall(text[:INDEXED_CHARACTERS].casefold())


def grams_of(words: Iterable[str]) -> list[str]:
    """The pieces of `GRAM` characters that words are made of, each once."""
    return sorted({word[at : at + GRAM] for word in words for at in range(len(word) - GRAM + 1)})


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

"""Values as TOML text, for people: secrets and passwords are redacted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ringforge_core.plugin.secret import Secret, redact

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(value: Any) -> str:
    """The value as one would write it after `key = `; an int for a float setting that is whole."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) and value.is_integer() and value < 1e6 else str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(toml_text(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {toml_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, Secret | Path):
        return _quoted(str(value))
    return _quoted(redact(str(value)))


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

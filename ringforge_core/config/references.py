"""Secrets by reference: `file:PATH` and `env:NAME` instead of the secret itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ringforge_core.plugin.secret import Secret


def resolve(text: str, environ: Mapping[str, str]) -> Secret:
    """The secret itself; raises `ValueError` when the file or the variable is missing or empty.

    A relative path is relative to the working directory; the line end after a file's text does not count.
    """
    if text.startswith("file:"):
        return Secret(_read(Path(text.removeprefix("file:"))))
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        if not environ.get(name):
            raise ValueError(f"the environment variable {name} is {'empty' if name in environ else 'not set'}")
        return Secret(environ[name])
    return Secret(text)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read the file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"the file {path} is not UTF-8 text") from error
    if not text:
        raise ValueError(f"the file {path} is empty")
    return text

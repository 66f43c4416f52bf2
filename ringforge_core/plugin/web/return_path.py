"""Where to go after a sign-in: only ever to a page of this hub."""

from __future__ import annotations

import re

# One slash and then no second one: `//host` and `/\host` are other hosts to a browser, which also drops controls.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1999}")


def return_path(text: str | None, *, default: str = "/") -> str:
    """The path (with query) if it is one of this hub, else `default`: a link to a sign-in leads nobody elsewhere."""
    return text if text and _LOCAL.fullmatch(text) else default

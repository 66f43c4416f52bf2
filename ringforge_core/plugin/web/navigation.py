"""Whether an answer is for a person's eyes or for a program."""

from __future__ import annotations

from typing import Any

from litestar import Request


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """A browser goes to a page, or sends a form, and shows what comes back. Scripts, curl and SDKs get JSON."""
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None and mode != "navigate":
        return False
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")

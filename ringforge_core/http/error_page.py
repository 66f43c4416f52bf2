"""An error as a page, for people in a browser. It stands alone: the hub may have no dashboard."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus
from typing import Any

from litestar import MediaType, Response

_STYLE = """\
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto 0;padding:0 1.25rem}
h1{font-size:1.25rem;margin:0 0 .5rem}
.code{opacity:.7;font-size:.875rem;margin:0}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title} · Ringforge</title><style>{style}</style>
<main><p class="code">{status} · {code}</p><h1>{title}</h1><p>{message}</p><p>{fix}</p>
<p><a href="/">To the start</a></p></main>
</html>
"""


def error_page(
    status: int, code: str, *, message: str, fix: str = "", headers: dict[str, str] | None = None
) -> Response[Any]:
    """The page for what JSON would say as `{error, message, fix}`."""
    title = HTTPStatus(status).phrase
    text = _PAGE.format(
        style=_STYLE, status=status, code=escape(code), title=escape(title),
        message="" if message == title else escape(message),
        fix=escape(fix),
    )  # fmt: skip
    safe = {"content-security-policy": POLICY, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(text, status_code=status, headers={**safe, **(headers or {})}, media_type=MediaType.HTML)

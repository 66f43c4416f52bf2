"""No other site makes a person's browser change something here.

Two locks, each enough by itself: browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`), and every change
carries a token that only pages of this hub could read. The token follows from the secret of the session's cookie, so it
is valid in that session only, and nothing has to be kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.exceptions import HTTPException

from ringforge_core.errors import Forbidden

FIELD = "_csrf"
HEADER = "x-csrf-token"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def csrf_token(cookie: str) -> str:
    """The token that goes with a session's cookie."""
    digest = hmac.digest(cookie.encode(errors="surrogatepass"), b"ringforge csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def check_csrf(request: Request[Any, Any, Any], cookie: str | None, *, public_url: str | None = None) -> None:
    """Raise `Forbidden` for a change that did not come from a page of this hub; what only reads is let through."""
    if request.method in _READING:
        return
    if cookie is None or not _is_own_origin(request, public_url) or not await _has_token(request, csrf_token(cookie)):
        raise Forbidden(
            "This form is too old, or it did not come from this hub.", reason="csrf",
            fix="Go back, reload the page and send it again.",
        )  # fmt: skip


def _is_own_origin(request: Request[Any, Any, Any], public_url: str | None) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    own = {request.headers.get("host", ""), urlsplit(public_url or "").netloc} - {""}
    return urlsplit(origin).netloc in own


async def _has_token(request: Request[Any, Any, Any], expected: str) -> bool:
    given = request.headers.get(HEADER)
    if given is None:
        try:
            given = (await request.form()).get(FIELD)
        except (HTTPException, ValueError):  # a body that is no form carries no token
            return False
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())

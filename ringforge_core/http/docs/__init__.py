"""`GET /api/docs`: the API's document as a page to read and to try, without anything from outside.

Swagger UI comes from the package offapi, which ships its files; what is ours beside it is page.html, page.css and page.js.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from litestar import Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

PATH = "/api/docs"
HERE = Path(__file__).parent

# The styles of Swagger UI's logo and icons are inline; scripts are not.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def _ours(name: str) -> Callable[[], Path]:
    return lambda: HERE / name


def _of_swagger(name: str) -> Callable[[], Path]:
    # Not imported: offapi reads all its nine megabytes when it is.
    return lambda: Path(str(distribution("offapi").locate_file(f"offapi/{name}")))


FILES: dict[str, tuple[str, Callable[[], Path]]] = {
    "page.css": ("text/css", _ours("page.css")),
    "page.js": ("text/javascript", _ours("page.js")),
    "swagger.css": ("text/css", _of_swagger("swagger_style.css")),
    "swagger.js": ("text/javascript", _of_swagger("swagger_bundle.js")),
}


def docs() -> Router:
    @get("/", media_type="text/html")
    async def page() -> Response[bytes]:
        return Response(await _read(HERE / "page.html"), headers=HEADERS)

    @get("/{name:str}")
    async def file(name: FromPath[str]) -> Response[bytes]:
        if name not in FILES:
            raise NotFoundException("The page has no such file.")
        media_type, path = FILES[name]
        return Response(await _read(path()), media_type=media_type, headers=HEADERS)

    return Router(PATH, route_handlers=[page, file], include_in_schema=False)


async def _read(path: Path) -> bytes:
    return await asyncio.to_thread(_content, path)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()

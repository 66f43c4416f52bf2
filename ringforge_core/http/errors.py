"""One shape for every error over HTTP: `{error, message, fix?, …extras}`; a page that says the same to a browser."""

from __future__ import annotations

import math
import secrets
from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from ringforge_core.errors import Conflict, Forbidden, LimitReached, NotFound, Refused, RingforgeError, Unauthenticated
from ringforge_core.errors import Unavailable as BackendUnavailable
from ringforge_core.http.error_page import error_page
from ringforge_core.plugin.web.navigation import wants_page

_STATUS: tuple[tuple[type[RingforgeError], int], ...] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (LimitReached, 403),
    (Refused, 400),
    (BackendUnavailable, 503),
)
_LIMITS = {"rate_limited": 429, "payload_too_large": 413}
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}

log = structlog.get_logger(__name__)


def on_error(request: Request[Any, Any, Any], error: RingforgeError) -> Response[Any]:
    """The hub's own errors, by their place in the tree."""
    status = _LIMITS.get(error.reason) or next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    body = error.as_reply()
    if "retry_after_ms" in body:
        body["retry_after"] = math.ceil(body["retry_after_ms"] / 1000)
    return _answer(request, status, body.pop("reason"), headers=_headers(error), **body)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What Litestar itself refuses: unknown paths, methods, sizes."""
    if error.status_code >= 500:
        return on_fault(request, error)
    code = _CODES.get(error.status_code, "invalid_request")
    return _answer(request, error.status_code, code, message=error.detail, headers=error.headers)


def on_invalid(request: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    """A body or a parameter that is not as the document says; `details` names each field that is wrong."""
    details = [
        {"field": str(problem.get("key", "")), "message": str(problem.get("message", ""))}
        for problem in error.extra or ()
        if isinstance(problem, dict)
    ]
    return _answer(
        request, error.status_code, "validation_failed", message="The request is not valid.",
        fix="Compare it with the OpenAPI document.", details=details,
    )  # fmt: skip


def on_unprocessable(request: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    """`on_invalid`, as 422: the routes that always answered so."""
    error.status_code = 422
    return on_invalid(request, error)


def on_too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[Any]:
    """JSON that is nested more deeply than it can be read."""
    return _answer(request, 400, "validation_failed", message="The body is nested too deeply.", fix="Send flatter JSON.")


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Everything else is ours: logged under an id, told without its inside."""
    error_id = secrets.token_hex(8)
    log.error("request_failed", path=request.url.path, error_id=error_id, exc_info=error)
    return _answer(request, 500, "internal_error", message="The hub could not do this.", error_id=error_id)


def retry_after(error: RingforgeError) -> dict[str, str]:
    """The header of a refusal that says when to come back, in whole seconds."""
    wait = error.extras.get("retry_after_ms")
    return {} if wait is None else {"retry-after": str(math.ceil(wait / 1000))}


def _headers(error: RingforgeError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    return retry_after(error)


def _answer(
    request: Request[Any, Any, Any], status: int, code: str, *, message: str, fix: str = "",
    headers: dict[str, str] | None = None, **extras: Any,
) -> Response[Any]:  # fmt: skip
    if wants_page(request):
        return error_page(status, code, message=message, fix=fix, headers=headers)
    body = {"error": code, "message": message, **({"fix": fix} if fix else {}), **extras}
    return Response(body, status_code=status, headers=headers, media_type=MediaType.JSON)

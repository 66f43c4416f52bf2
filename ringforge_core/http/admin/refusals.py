"""How the OpenAPI document tells of errors: one shape, and what each status means."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta


class FieldProblem(msgspec.Struct):
    """`field` is the path to what is wrong, such as `name`."""

    field: str
    message: str


class ApiError(msgspec.Struct, omit_defaults=True):
    """Every refusal. Further fields say more: `field`, `resource`, `retry_after_ms`, `error_id` …"""

    error: Annotated[str, Meta(description="What programs match on, in snake_case.", examples=["not_found"])]
    message: Annotated[str, Meta(description="What happened, for people.")]
    fix: Annotated[str, Meta(description="What to do about it, for people.")] = ""
    details: Annotated[list[FieldProblem], Meta(description="What is wrong with each field.")] = []


_MEANINGS = {
    400: "The request is not valid: `validation_failed`, `invalid_payload`, `invalid_cursor`",
    401: "No good key was given: `missing_authorization`, `invalid_api_key`",
    403: "Not allowed: `forbidden`, `quota_exceeded`",
    404: "There is none, or it is not this tenant's: `not_found`",
    409: "It does not go with what is there: `conflict`, `idempotency_conflict`",
    413: "The body is larger than 1 MiB: `payload_too_large`",
    422: "A field is not valid: `validation_failed`",
    429: "Too many requests: `rate_limited`; `retry-after` says how many seconds to wait",
    503: "The database does not answer: `unavailable`",
}
_ALWAYS = (400, 401, 403, 429, 503)


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """What a route may answer instead: these, and what any route may."""
    return {
        status: ResponseSpec(ApiError, description=_MEANINGS[status], generate_examples=False)
        for status in sorted({*_ALWAYS, *statuses})
    }

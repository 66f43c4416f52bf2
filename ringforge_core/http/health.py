"""Is the process alive, and can it serve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from ringforge_core.errors import RingforgeError

CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[None]]
"""Returns when the dependency works, raises a `RingforgeError` when it does not."""


class Health(msgspec.Struct):
    status: str


class Readiness(msgspec.Struct):
    """`dependencies` maps each to `ok` or to what is wrong."""

    status: str
    dependencies: dict[str, str]


def health_handlers(checks: Mapping[str, Check], is_draining: Callable[[], bool]) -> list[HTTPRouteHandler]:
    @get(
        ["/api/health", "/api/health/live"], sync_to_thread=False, tags=["Hub"], summary="Is it alive",
        response_description="It is",
    )  # fmt: skip
    def health() -> Health:
        """The process answers."""
        return Health("ok")

    @get(
        "/api/health/ready", tags=["Hub"], summary="Can it serve", response_description="It can",
        responses={503: ResponseSpec(Readiness, description="It cannot", generate_examples=False)},
    )  # fmt: skip
    async def ready() -> Response[Readiness]:
        """Every dependency answers and the hub takes new sockets; 503 when not."""
        results = await asyncio.gather(*(_result(check) for check in checks.values()))
        dependencies = dict(zip(checks, results, strict=True))
        if is_draining():
            dependencies["hub"] = "draining"
        good = all(result == "ok" for result in dependencies.values())
        return Response(Readiness("ok" if good else "not_ready", dependencies), status_code=200 if good else 503)

    return [health, ready]


async def _result(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except RingforgeError as error:
        return error.message
    return "ok"

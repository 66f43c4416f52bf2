"""An administrator at the HTTP API, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from ringforge_core.identity import Bootstrap
from ringforge_core.testkit.hub import TestHub


class Admin:
    """`keys` are the tenant's first; requests go to `/api/v1` with its admin key."""

    def __init__(self, hub: TestHub, keys: Bootstrap) -> None:
        self.hub = hub
        self.keys = keys
        self.http = httpx.AsyncClient(
            base_url=f"{hub.http_url}/api/v1", headers={"Authorization": f"Bearer {keys.admin_key}"}, timeout=20
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def ok(self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str) -> Any:
        """Call, and fail unless the answer has this status; returns the answer."""
        answer = await self._call(method, path, body, headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def refused(self, method: str, path: str, body: Any = None, *, status: int, **headers: str) -> Any:
        """Call, and fail unless it is refused with this status, in the one shape of errors; returns the error."""
        answer = await self._call(method, path, body, headers)
        assert answer.status_code == status, answer.text
        error = answer.json()
        assert {"error", "message"} <= error.keys(), error
        return error

    async def until(self, path: str, satisfied: Callable[[Any], bool]) -> Any:
        """Get the path again and again until the answer is as it should be; returns it."""
        async with asyncio.timeout(10):
            while True:
                answer = await self.ok("GET", path)
                if satisfied(answer):
                    return answer
                await asyncio.sleep(0.02)

    async def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=body, headers=named)

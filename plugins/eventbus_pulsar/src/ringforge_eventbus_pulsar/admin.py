"""Pulsar's administration over HTTP, as far as the hub needs it. Errors are Ringforge's."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import quote

import httpx

from ringforge_core.errors import Unavailable
from ringforge_eventbus_pulsar.credentials import bearer_of, tls
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings

_PROPERTIES_TOO = {"Content-Type": "application/vnd.partitioned-topic-metadata+json"}
_CONNECTIONS = 16
_NOT_ENTITLED = (401, 403)
NOT_NOW = 503
_PAUSE = 0.2


class Admin:
    """Paths are those below `/admin/v2`, such as `namespaces/ringforge/default`; those of functions begin with `v3/`."""

    def __init__(self, settings: PulsarEventBusSettings) -> None:
        self.bearer = bearer_of(settings)
        self._patience = settings.request_seconds
        self._http = httpx.AsyncClient(
            base_url=f"{settings.admin_url.rstrip('/')}/admin/",
            auth=self.bearer,
            verify=tls(settings),
            timeout=settings.request_seconds,
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            follow_redirects=True,  # a broker sends on to the one that owns a topic
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Any:
        """The answer's JSON; None when there is no such thing."""
        answer = await self.request("GET", path, but=(404,))
        return None if answer.status_code == 404 else answer.json()

    async def put(self, path: str, body: object = None, *, but: tuple[int, ...] = (), properties: bool = False) -> int:
        """Returns the status. `properties` says that a topic's body brings its properties along."""
        headers = _PROPERTIES_TOO if properties else None
        return (await self.request("PUT", path, json=body, but=but, headers=headers)).status_code

    async def post(self, path: str, body: object = None, *, but: tuple[int, ...] = ()) -> int:
        return (await self.request("POST", path, json=body, but=but)).status_code

    async def delete(self, path: str, *, but: tuple[int, ...] = ()) -> int:
        return (await self.request("DELETE", path, but=but)).status_code

    async def request(self, method: str, path: str, *, but: tuple[int, ...] = (), **options: Any) -> httpx.Response:
        """The answer when it is good, or its status is one of `but`; else `Unavailable`."""
        try:
            answer = await self._ask(method, path if path.startswith("v3/") else f"v2/{path}", but, options)
        except httpx.HTTPError as error:
            raise Unavailable(f"Pulsar's administration does not answer: {type(error).__name__}: {error}") from error
        if answer.status_code in _NOT_ENTITLED and answer.status_code not in but:
            fix = "Check token, oauth2_… or the certificate in [event_bus.pulsar], and what its role may do."
            raise Unavailable(f"Pulsar refuses this hub {method} {path}: {_reason(answer)}", fix=fix)
        if answer.is_error and answer.status_code not in but:
            raise Unavailable(f"Pulsar's administration refused {method} {path}: {answer.status_code} {_reason(answer)}")
        return answer

    async def _ask(self, method: str, path: str, but: tuple[int, ...], options: dict[str, Any]) -> httpx.Response:
        """503 is a cluster that elects a leader or moves a topic: it asks to be asked again."""
        deadline = time.monotonic() + self._patience
        while True:
            answer = await self._http.request(method, path, **options)
            if answer.status_code != NOT_NOW or NOT_NOW in but or method == "POST" or time.monotonic() > deadline:
                return answer  # a POST that was refused may have been done by half
            await asyncio.sleep(_PAUSE)


def path_of(topic: str) -> str:
    """`persistent://ringforge/default/x` as the path `persistent/ringforge/default/x`."""
    domain, _, name = topic.partition("://")
    namespace, _, local = name.rpartition("/")
    return f"{domain}/{namespace}/{quote(local, safe='')}"


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["reason"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]

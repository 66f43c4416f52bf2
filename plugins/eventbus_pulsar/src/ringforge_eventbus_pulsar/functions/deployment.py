"""Deploy, list and remove functions over Pulsar's administration API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from ringforge_core.errors import NotFound
from ringforge_eventbus_pulsar.admin import NOT_NOW, Admin
from ringforge_eventbus_pulsar.functions.catalog import CATALOG, PackagedFunction, worker_config
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings

TRIES = 20
PAUSE_SECONDS = 0.5


class DeployedFunction(msgspec.Struct, frozen=True):
    name: str
    running: int
    instances: int
    output: str


class Deployment:
    """Functions live in a namespace beside the events' one, `ringforge/default-derived`, and write there."""

    def __init__(self, admin: Admin, settings: PulsarEventBusSettings) -> None:
        self._admin = admin
        self._tenant = settings.tenant
        self._inputs = f"{settings.tenant}/{settings.namespace}"
        self._outputs = f"{self._inputs}-derived"

    async def deploy(self, function: PackagedFunction, options: dict[str, Any]) -> str:
        """Create the function, or bring it up to date; returns the topic that it writes to."""
        await self._admin.put(f"namespaces/{self._outputs}", {}, but=(409,))
        config = worker_config(function, inputs=self._inputs, outputs=self._outputs, options=options)
        code = await asyncio.to_thread(function.file.read_bytes)
        parts = {
            "data": (function.file.name, code, "application/octet-stream"),
            "functionConfig": (None, msgspec.json.encode(config), "application/json"),
        }
        if await self._admin.get(self._path(function.name)) is not None:
            await self._admin.request("PUT", self._path(function.name), files=parts)
        else:
            await self._create(function.name, parts)
        return str(config["output"])

    async def _create(self, name: str, parts: dict[str, Any]) -> None:
        """Workers that have no leader yet refuse it, and keep the uploaded package, which stands in the way of a retry."""
        for _ in range(TRIES):
            if (await self._admin.request("POST", self._path(name), files=parts, but=(NOT_NOW,))).status_code != NOT_NOW:
                return
            await self._admin.delete(f"v3/packages/function/{self._outputs}/{name}/0", but=(404, NOT_NOW))
            await asyncio.sleep(PAUSE_SECONDS)
        await self._admin.request("POST", self._path(name), files=parts)

    async def deployed(self) -> Sequence[DeployedFunction]:
        """Those of the catalog that are there, with how many of their instances run."""
        names = set(await self._admin.get(self._path("")) or ())
        return [await self._describe(function) for function in CATALOG if function.name in names]

    async def remove(self, name: str) -> None:
        """Its subscription goes with it; what it wrote stays."""
        if await self._admin.delete(self._path(name), but=(404,)) == 404:
            raise NotFound(f'"{name}" is not deployed', fix="`ringforge pulsar functions list` shows what is.")

    async def _describe(self, function: PackagedFunction) -> DeployedFunction:
        config = await self._admin.get(self._path(function.name)) or {}
        status = await self._admin.get(f"{self._path(function.name)}/status") or {}
        return DeployedFunction(
            name=function.name,
            running=status.get("numRunning", 0),
            instances=status.get("numInstances", 0),
            output=config.get("output", ""),
        )

    def _path(self, name: str) -> str:
        return f"v3/functions/{self._outputs}/{name}".rstrip("/")

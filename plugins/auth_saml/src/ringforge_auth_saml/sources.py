"""Where a provider's description comes from: a file, an address, or the settings themselves; and when it is read anew.

A provider that changes its key tells so in its metadata. It is read anew every hour, and when a signature is by an
unknown key. While it cannot be had, the last one is good for a day, unless it says less.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from pathlib import Path

import httpx2
import structlog

from ringforge_auth_saml.metadata import LONGEST, IdentityProvider, read_certificate, read_metadata
from ringforge_auth_saml.settings import ProviderSettings, check_url
from ringforge_core.errors import ConfigError, Unavailable
from ringforge_core.plugin import now

TIMEOUT_SECONDS = 10.0
KNOWN_FOR_SECONDS = 3600.0
USED_FOR_SECONDS = 24 * 3600.0
AT_MOST_EVERY_SECONDS = 60.0
"""Answers with wrong signatures are anybody's to make: they do not make us ask more often."""

log = structlog.get_logger(__name__)


class Source(ABC):
    """`name` is the provider's, for messages."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._known: IdentityProvider | None = None
        self._read_at = -USED_FOR_SECONDS
        self._tried_at = -USED_FOR_SECONDS
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """Raises `ConfigError` for what will not get better by itself."""
        return

    async def current(self) -> IdentityProvider:
        """Raises `Unavailable` when there is no description, or only one that is too old."""
        if self._known is None or time.monotonic() - self._read_at > KNOWN_FOR_SECONDS:
            await self._read_anew()
        known = self._known
        if known is None or time.monotonic() - self._read_at > USED_FOR_SECONDS:
            raise self._gone()
        if known.valid_until is not None and known.valid_until <= now():
            raise self._gone()
        return known

    async def newer(self) -> IdentityProvider | None:
        """One that was just read, after a signature by an unknown key; None when that was tried a moment ago."""
        before = self._known
        await self._read_anew()
        return None if self._known is before else self._known

    async def _read_anew(self) -> None:
        async with self._reading:
            at = time.monotonic()
            if at - self._tried_at < AT_MOST_EVERY_SECONDS:
                return
            self._tried_at = at
            try:
                self._known, self._read_at = await self.read(), at
            except (OSError, ValueError, httpx2.HTTPError) as error:
                log.warning("saml.metadata_unreadable", provider=self.name, cause=str(error)[:300])

    @abstractmethod
    async def read(self) -> IdentityProvider:
        """Raises `OSError`, `ValueError`, or an error of HTTP."""

    def _gone(self) -> Unavailable:
        return Unavailable("The identity provider cannot be asked at the moment.", reason="provider_unavailable")


class FromSettings(Source):
    def __init__(self, name: str, settings: ProviderSettings) -> None:
        super().__init__(name)
        certificates = [read_certificate(text) for text in settings.certificates]
        self._inline = IdentityProvider(
            entity_id=settings.entity_id or "", sso_url=settings.sso_url or "", certificates=certificates
        )

    async def read(self) -> IdentityProvider:
        return self._inline


class FromFile(Source):
    def __init__(self, name: str, path: Path, entity_id: str | None) -> None:
        super().__init__(name)
        self._path = path
        self._entity_id = entity_id

    async def start(self) -> None:
        try:
            await self.read()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"[auth.saml.providers.{self.name}] metadata_file: {self._path}: {error}",
                fix="Save the provider's metadata there, and let the hub read it.",
            ) from error

    async def read(self) -> IdentityProvider:
        document = await asyncio.to_thread(self._path.read_bytes)
        return _checked(await asyncio.to_thread(read_metadata, document, self._entity_id))


class FromAddress(Source):
    def __init__(self, name: str, url: str, entity_id: str | None) -> None:
        super().__init__(name)
        self._url = url
        self._entity_id = entity_id

    async def read(self) -> IdentityProvider:
        document = bytearray()
        client = await asyncio.to_thread(httpx2.AsyncClient, timeout=TIMEOUT_SECONDS)  # reads authorities from the disk
        async with client as http, http.stream("GET", self._url) as response:
            if response.status_code != 200:
                raise ValueError(f"{self._url} answered {response.status_code}")
            async for chunk in response.aiter_bytes():
                document += chunk
                if len(document) > LONGEST:
                    raise ValueError(f"{self._url} has more than {LONGEST} bytes")
        return _checked(await asyncio.to_thread(read_metadata, bytes(document), self._entity_id))


def source_of(name: str, settings: ProviderSettings) -> Source:
    if settings.metadata_file is not None:
        return FromFile(name, settings.metadata_file, settings.entity_id)
    if settings.metadata_url is not None:
        return FromAddress(name, settings.metadata_url, settings.entity_id)
    return FromSettings(name, settings)


def _checked(provider: IdentityProvider) -> IdentityProvider:
    check_url("the metadata's SingleSignOnService", provider.sso_url)
    return provider

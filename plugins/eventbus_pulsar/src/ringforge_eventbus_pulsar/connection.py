"""The way to the brokers: credentials, TLS, and what Pulsar's errors mean. No exception of Pulsar's leaves through here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

import pulsar
from pulsar.asyncio import Client, PulsarException

from ringforge_core.errors import Backpressure, ConfigError, LimitReached, RingforgeError, Unavailable
from ringforge_eventbus_pulsar.credentials import Bearer
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings


class Closable(Protocol):
    """A producer, a consumer or a reader."""

    async def close(self) -> None: ...


Handle = TypeVar("Handle", bound=Closable)

_FULL = (pulsar.Result.ProducerQueueIsFull, pulsar.Result.MemoryBufferIsFull)
_REFUSED = (pulsar.Result.AuthenticationError, pulsar.Result.AuthorizationError)


class CredentialsRefused(Unavailable):
    """The broker does not let this hub do it: trying again changes nothing until somebody changes its rights."""


def connect(settings: PulsarEventBusSettings, bearer: Bearer | None) -> Client:
    """A client; it connects when it is used."""
    try:
        return Client(
            settings.service_url,
            authentication=_authentication(settings, bearer),
            operation_timeout_seconds=max(1, round(settings.request_seconds)),
            connection_timeout_ms=round(settings.request_seconds * 1000),
            tls_trust_certs_file_path=str(settings.tls_ca_file) if settings.tls_ca_file else None,
            tls_validate_hostname=settings.tls_validate_hostname,
            logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),  # what matters is raised, and logged here
            **_own_certificate(settings),
        )
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"[event_bus.pulsar] service_url = {settings.service_url!r}: {error}",
            fix="Write it as pulsar://host:6650 or pulsar+ssl://host:6651.",
        ) from None


async def disconnect(client: Client) -> None:
    """Close everything that the client opened, then end its threads: it leaves them to the end of the process."""
    await closed(client)
    await asyncio.to_thread(client.shutdown)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise what Pulsar's client raises as one of Ringforge's errors; `doing` is for people, `publish to Pulsar`."""
    try:
        yield
    except PulsarException as error:
        raise meaning_of(error, doing) from error


def meaning_of(error: PulsarException, doing: str) -> RingforgeError:
    result = error.error()
    if result in _FULL:
        return Backpressure(f"could not {doing}: too much waits for the broker")
    if result == pulsar.Result.MessageTooBig:
        return LimitReached(
            f"could not {doing}: an event is larger than the broker takes",
            reason="event_too_big",
            fix="Raise maxMessageSize on the broker, or send less.",
        )
    if result in _REFUSED:
        fix = "Check token or oauth2_… in [event_bus.pulsar], and what the role may do in the tenant."
        return CredentialsRefused(f"could not {doing}: the broker refuses this hub's credentials", fix=fix)
    return Unavailable(f"could not {doing}: {error}")


def _authentication(settings: PulsarEventBusSettings, bearer: Bearer | None) -> pulsar.Authentication | None:
    """OAuth 2.0 too is a token to the client: its own way to get one would block the event loop."""
    if bearer is not None:
        return pulsar.AuthenticationToken(bearer.token)
    certificate = _own_certificate(settings)
    return pulsar.AuthenticationTLS(*certificate.values()) if certificate else None


def _own_certificate(settings: PulsarEventBusSettings) -> dict[str, str]:
    if settings.tls_certificate_file is None:
        return {}
    return {
        "tls_certificate_file_path": str(settings.tls_certificate_file),
        "tls_private_key_file_path": str(settings.tls_key_file),
    }


async def opened(opening: Awaitable[Handle]) -> Handle:
    """What `opening` gives. When the caller is cancelled meanwhile, it is closed as soon as it is there."""
    task = asyncio.ensure_future(opening)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_close_when_open)
        raise


def _close_when_open(task: asyncio.Future[Handle]) -> None:
    if not task.cancelled() and task.exception() is None:
        closing = asyncio.ensure_future(closed(task.result()))
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


async def closed(handle: Closable) -> None:
    """Close it; one that the broker has closed already is no error."""
    with suppress(PulsarException):
        await handle.close()


_closing: set[asyncio.Future[None]] = set()
"""Keeps tasks that nobody waits for from being collected before they end."""

"""Who the hub is to Pulsar: a token, one from an OAuth 2.0 issuer, or a certificate."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator

import httpx

from ringforge_core.errors import Unavailable
from ringforge_eventbus_pulsar.settings import PulsarEventBusSettings

_EARLY_SECONDS = 30.0
"""A token is renewed so long before it ends."""


def tls(settings: PulsarEventBusSettings) -> ssl.SSLContext | bool:
    """The context for https; True is httpx's own."""
    if not (settings.tls_ca_file or settings.tls_certificate_file or not settings.tls_validate_hostname):
        return True
    context = ssl.create_default_context(cafile=settings.tls_ca_file)
    context.check_hostname = settings.tls_validate_hostname
    if settings.tls_certificate_file:
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
    return context


def bearer_of(settings: PulsarEventBusSettings) -> Bearer | None:
    """What to show as a token; None for who comes with a certificate or nothing."""
    if settings.token is not None:
        return Bearer(settings.token.reveal())
    if settings.oauth2_issuer_url is not None:
        return ClientCredentials(settings)
    return None


class Bearer(httpx.Auth):
    """A token that stays as it is."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """The token that was shown last to the administration; the client of the brokers takes it from here."""
        return self._token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class ClientCredentials(Bearer):
    """OAuth 2.0's client credentials grant (RFC 6749, 4.4); the issuer's metadata tell the endpoint (RFC 8414).

    The token is renewed by the requests to the administration, of which discovery makes one a second.
    """

    def __init__(self, settings: PulsarEventBusSettings) -> None:
        super().__init__("")
        self._settings = settings
        self._until = 0.0
        self._renewing = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        async with self._renewing:
            if time.monotonic() >= self._until:
                await self._renew()
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    async def _renew(self) -> None:
        settings, secret = self._settings, self._settings.oauth2_client_secret
        issuer = (settings.oauth2_issuer_url or "").rstrip("/")
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.oauth2_client_id or "",
            "client_secret": secret.reveal() if secret else "",
            **({"audience": settings.oauth2_audience} if settings.oauth2_audience else {}),
        }
        async with httpx.AsyncClient(verify=tls(settings), timeout=settings.request_seconds) as client:
            found = await client.get(f"{issuer}/.well-known/openid-configuration")
            answer = await client.post(found.raise_for_status().json()["token_endpoint"], data=form)
        if answer.is_error:
            fix = "Check the oauth2_… settings in [event_bus.pulsar]."
            raise Unavailable(f"the OAuth 2.0 issuer gave no token: {answer.status_code}", fix=fix)
        granted = answer.json()
        self._token = granted["access_token"]
        self._until = time.monotonic() + float(granted.get("expires_in", 300)) - _EARLY_SECONDS

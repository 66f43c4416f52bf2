"""OpenID Connect: where the provider's endpoints are, and what its signed ID token says (Core 1.0, Discovery 1.0)."""

from __future__ import annotations

import hmac
import secrets
import time

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ringforge_auth_oauth.code_flow import Claims, CodeFlow, new_verifier
from ringforge_auth_oauth.settings import OpenIdSettings
from ringforge_core.errors import Unavailable
from ringforge_core.plugin import Adapter, hookimpl
from ringforge_core.ports.auth import Answer, Attempt, Auth, Begun, VerifiedIdentity

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures by the provider's private key only: never `none`, never one made with a secret that others know."""
KNOWN_FOR_SECONDS = 3600.0
CLOCKS_APART_SECONDS = 60


class Discovery(msgspec.Struct):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Provider(msgspec.Struct):
    """Endpoints and keys, as they were at `read_at`."""

    endpoints: Discovery
    keys: KeySet
    read_at: float


class OpenIdConnect(Auth):
    def __init__(self, settings: OpenIdSettings, *, provider: str = "oidc") -> None:
        self.provider = provider
        self.label = settings.label
        self._issuer = settings.issuer
        self._flow = CodeFlow(settings.label, settings.client_id, settings.client_secret)
        self._known: Provider | None = None

    async def start(self) -> None:
        await self._flow.start()

    async def stop(self) -> None:
        await self._flow.stop()

    async def begin(self, attempt: Attempt) -> Begun:
        known = await self._look_up()
        verifier, nonce = new_verifier(), secrets.token_urlsafe(32)
        url = self._flow.authorization_url(
            known.endpoints.authorization_endpoint, verifier=verifier, redirect_uri=attempt.callback_url,
            scope="openid email profile", state=attempt.state, nonce=nonce,
        )  # fmt: skip
        return Begun(redirect_url=url, kept={"verifier": verifier, "nonce": nonce})

    async def complete(self, answer: Answer) -> VerifiedIdentity:
        known = await self._look_up()
        if answer.parameters.get("iss", self._issuer) != self._issuer:  # RFC 9207: an answer of another provider
            self._flow.refuse("another issuer")
        token = await self._flow.token(known.endpoints.token_endpoint, answer)
        claims = await self._claims(token.id_token)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), answer.kept.get("nonce", "").encode()):
            self._flow.refuse("another nonce")
        return VerifiedIdentity(
            provider=self.provider, subject=str(claims["sub"]), email=claims.get("email") or None,
            email_verified=claims.get("email_verified") is True, name=claims.get("name") or None,
        )  # fmt: skip

    async def _claims(self, id_token: str) -> Claims:
        """What a token says that is signed by this provider, for this application, and not too old."""
        rules = jwt.JWTClaimsRegistry(
            leeway=CLOCKS_APART_SECONDS, iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._flow.client_id}, exp={"essential": True}, iat={"essential": True},
            sub={"essential": True},
        )  # fmt: skip
        try:
            claims = await self._opened(id_token)
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            self._flow.refuse(str(error))
        if claims.get("azp", self._flow.client_id) != self._flow.client_id:
            self._flow.refuse("made for another application")
        return claims

    async def _opened(self, id_token: str) -> Claims:
        """Keys are changed now and then: a signature that does not fit is looked at again with the newest ones."""
        try:
            return jwt.decode(id_token, (await self._look_up()).keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            return jwt.decode(id_token, (await self._look_up(fresh=True)).keys, algorithms=ALGORITHMS).claims

    async def _look_up(self, *, fresh: bool = False) -> Provider:
        known = self._known
        if known is not None and not fresh and time.monotonic() - known.read_at < KNOWN_FOR_SECONDS:
            return known
        endpoints = await self._flow.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration", Discovery)
        if endpoints.issuer != self._issuer:
            raise Unavailable(f"{self.label} calls itself {endpoints.issuer}.", fix="Set that as the issuer.")
        keys = KeySet.import_key_set(await self._flow.get(endpoints.jwks_uri, dict))  # type: ignore[arg-type]  # any JSON object
        self._known = Provider(endpoints, keys, time.monotonic())
        return self._known


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=Auth, settings_type=OpenIdSettings, create=lambda settings, context: OpenIdConnect(settings))

"""The verbs of the port Auth, as a service provider of SAML 2.0.

Each answer is to one request, whose ID is kept with the attempt; the caller lets an attempt be finished once, in the
browser that began it. So no answer is good a second time, or for somebody else, on whatever node; and one that nobody
asked for (IdP-initiated) is none.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NoReturn

import structlog

from ringforge_auth_saml.documents import NotProven
from ringforge_auth_saml.metadata import IdentityProvider, service_metadata
from ringforge_auth_saml.providers import Provider, Providers
from ringforge_auth_saml.request import new_request_id, request_url
from ringforge_auth_saml.response import Expected, read_response
from ringforge_auth_saml.settings import SamlSettings
from ringforge_auth_saml.signature import BadSignature
from ringforge_auth_saml.subject import Subject, read_subject
from ringforge_core.errors import ConfigError, Unauthenticated
from ringforge_core.plugin import AdapterContext, now
from ringforge_core.ports.auth import Answer, Attempt, Auth, Begun, Document, VerifiedIdentity

LONGEST_CAUSE = 600
"""Characters: it quotes what strangers wrote."""
MEDIA_TYPE = "application/samlmetadata+xml"

log = structlog.get_logger(__name__)


class Saml(Auth):
    provider = "saml"
    asks_email = True
    answers_by_post = True

    def __init__(self, settings: SamlSettings, context: AdapterContext) -> None:
        self.label = settings.label
        self._entity_id = settings.entity_id or _own_entity_id(context.public_url)
        self._skew = timedelta(seconds=settings.clock_skew_seconds)
        self._providers = Providers(settings.providers)

    async def start(self) -> None:
        for provider in self._providers.by_name.values():
            await provider.source.start()

    async def stop(self) -> None:
        """Nothing is kept open."""

    async def begin(self, attempt: Attempt) -> Begun:
        provider = self._providers.for_email(attempt.email)
        known = await provider.source.current()
        request_id = new_request_id()
        url = request_url(
            known.sso_url, request_id=request_id, entity_id=self._entity_id, callback_url=attempt.callback_url,
            state=attempt.state, at=now(),
        )  # fmt: skip
        return Begun(redirect_url=url, kept={"provider": provider.name, "request": request_id}, tenant=provider.tenant)

    async def complete(self, answer: Answer) -> VerifiedIdentity:
        provider = self._providers.by_name.get(answer.kept.get("provider", ""))
        request_id, posted = answer.kept.get("request"), answer.parameters.get("SAMLResponse")
        if provider is None or not request_id or not posted:
            self._refuse("unknown", "there is no response, or no request")
        known = await provider.source.current()
        try:
            try:
                subject = await self._subject(provider, known, posted, request_id, answer.callback_url)
            except BadSignature:
                newer = await provider.source.newer()
                if newer is None:
                    raise
                subject = await self._subject(provider, newer, posted, request_id, answer.callback_url)
        except NotProven as refusal:
            self._refuse(provider.name, str(refusal))
        return provider.identity(self.provider, subject)

    async def metadata(self, callback_url: str) -> Document:
        return Document(service_metadata(self._entity_id, callback_url), MEDIA_TYPE)

    async def _subject(
        self, provider: Provider, known: IdentityProvider, posted: str, request_id: str, callback_url: str
    ) -> Subject:
        expected = Expected(
            issuer=known.entity_id, audience=self._entity_id, recipient=callback_url, request_id=request_id, at=now(),
            skew=self._skew,
        )  # fmt: skip
        settings = provider.settings

        def read() -> Subject:
            assertion = read_response(posted, known.certificates, expected)
            return read_subject(assertion, settings.email_attributes, settings.name_attributes)

        return await asyncio.to_thread(read)

    def _refuse(self, provider: str, cause: str) -> NoReturn:
        """What is wrong is for the operator's log: it is set right at the provider, or it is an attack."""
        log.warning("saml.refused", provider=provider, cause=cause[:LONGEST_CAUSE])
        raise Unauthenticated(
            "The identity provider did not confirm who you are.", reason="not_confirmed",
            fix="Begin again; if it stays so, the hub's log says why.",
        )  # fmt: skip


def _own_entity_id(public_url: str | None) -> str:
    if public_url is None:
        raise ConfigError(
            "[auth.saml] needs a name for this hub that identity providers know it by.",
            fix="Set [hub] public_url, or [auth.saml] entity_id.",
        )
    return f"{public_url}/auth/saml/metadata"

"""The identity providers of the settings: each with where its description comes from, and what it is trusted with."""

from __future__ import annotations

import msgspec

from ringforge_auth_saml.settings import ProviderSettings
from ringforge_auth_saml.sources import Source, source_of
from ringforge_auth_saml.subject import Subject, domain_of
from ringforge_core.errors import InvalidPayload
from ringforge_core.ports.auth import TenantOf, VerifiedIdentity


class Provider(msgspec.Struct, frozen=True):
    name: str
    settings: ProviderSettings
    source: Source

    @property
    def tenant(self) -> TenantOf:
        return TenantOf(self.settings.tenant, self.settings.role)

    def identity(self, port_provider: str, subject: Subject) -> VerifiedIdentity:
        """No provider can name a person of another one: its own name is part of the subject, and e-mails of other
        domains are not verified."""
        is_trusted = subject.email is not None and domain_of(subject.email) in self.settings.domains
        return VerifiedIdentity(
            provider=port_provider, subject=f"{self.name}:{subject.name_id}", email=subject.email,
            email_verified=is_trusted, name=subject.name, tenant=self.tenant,
        )  # fmt: skip


class Providers:
    def __init__(self, settings: dict[str, ProviderSettings]) -> None:
        self.by_name = {name: Provider(name, one, source_of(name, one)) for name, one in settings.items()}
        self._by_domain = {domain: one for one in self.by_name.values() for domain in one.settings.domains}

    def for_email(self, email: str | None) -> Provider:
        """Raises `InvalidPayload` for an e-mail that no provider is trusted with."""
        domain = domain_of(email or "")
        if domain is None:
            raise InvalidPayload(
                "This is no e-mail address.", reason="invalid_email", field="email", fix="name@example.org"
            )
        if domain not in self._by_domain:
            raise InvalidPayload(
                f"No identity provider is set up for {domain}.", reason="no_identity_provider", field="email",
                fix="Sign in in another way, or ask who runs this hub.",
            )  # fmt: skip
        return self._by_domain[domain]

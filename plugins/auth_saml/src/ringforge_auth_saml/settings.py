"""The tables [auth.saml] and [auth.saml.providers.NAME].

A provider is told the hub's metadata, `https://<the hub>/auth/saml/metadata`, or what it says: the entity ID, and the
address for answers, `https://<the hub>/auth/saml/callback`.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ringforge_auth_saml.metadata import read_certificate

_NAME = re.compile(r"[a-z0-9_-]{1,50}")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+")


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity provider, of one tenant."""

    tenant: Annotated[
        str,
        Meta(
            description="The id or the handle of the tenant that its people belong to; the tenant's plan must include"
            " saml.",
            examples=["acme"],
        ),
    ]
    domains: Annotated[
        tuple[str, ...],
        Meta(
            description="It is trusted with e-mails of these domains and no others; who types one of them is sent there.",
            examples=[["acme.example"]],
        ),
    ]
    role: Annotated[
        Literal["viewer", "member", "admin"], Meta(description="What people are in the tenant when they come first.")
    ] = "member"
    metadata_file: Annotated[
        Path | None, Meta(description="Its metadata, as a file.", examples=["/etc/ringforge/acme-metadata.xml"])
    ] = None
    metadata_url: Annotated[
        str | None,
        Meta(description="Or at an address, read anew every hour.", examples=["https://id.acme.example/metadata"]),
    ] = None
    entity_id: Annotated[
        str | None,
        Meta(
            description="Its entity ID: needed without metadata, and with metadata of several providers.",
            examples=["https://id.acme.example"],
        ),
    ] = None
    sso_url: Annotated[
        str | None,
        Meta(
            description="Without metadata: where people sign in (binding HTTP-Redirect).",
            examples=["https://id.acme.example/sso"],
        ),
    ] = None
    certificates: Annotated[
        tuple[str, ...],
        Meta(
            description="Without metadata: the certificates that it signs with, in PEM or as the base64 within it.",
            examples=[["MIIC…"]],
        ),
    ] = ()
    email_attributes: Annotated[
        tuple[str, ...],
        Meta(description="Attributes with a person's e-mail, the first that is there; else a NameID that is an e-mail."),
    ] = (
        "email",
        "mail",
        "urn:oid:0.9.2342.19200300.100.1.3",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    )
    name_attributes: Annotated[tuple[str, ...], Meta(description="Attributes with a person's name.")] = (
        "displayName",
        "urn:oid:2.16.840.1.113730.3.1.241",
        "http://schemas.microsoft.com/identity/claims/displayname",
        "name",
        "cn",
        "urn:oid:2.5.4.3",
    )

    def __post_init__(self) -> None:
        if not self.domains:
            raise ValueError("domains: name at least one, such as acme.example")
        for domain in self.domains:
            if not _DOMAIN.fullmatch(domain):
                raise ValueError(f'domains: "{domain}" is no domain in small letters, such as acme.example')
        if self.metadata_file is not None and self.metadata_url is not None:
            raise ValueError("metadata_url: give metadata_file or metadata_url, not both")
        inline = [self.sso_url is not None, bool(self.certificates)]
        if self.metadata_file is not None or self.metadata_url is not None:
            if any(inline):
                raise ValueError("sso_url and certificates are in the metadata; leave them out here")
        elif not all([*inline, self.entity_id is not None]):
            raise ValueError(
                "says not enough of the provider: give metadata_file, or metadata_url, or all of entity_id, sso_url and"
                " certificates"
            )
        for key in ("metadata_url", "sso_url"):
            check_url(key, getattr(self, key))
        for certificate in self.certificates:
            read_certificate(certificate)


class SamlSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sign-in at a company's own identity provider. It takes an e-mail to know which."""

    entity_id: Annotated[
        str | None,
        Meta(
            description="What the providers know this hub by; by default the address of its metadata, which takes [hub]"
            " public_url.",
            examples=["https://hub.example.org/auth/saml/metadata"],
        ),
    ] = None
    label: Annotated[str, Meta(description="What people call it.")] = "single sign-on"
    clock_skew_seconds: Annotated[float, Meta(ge=0, le=300, description="How far a provider's clock may be from ours.")] = (
        60
    )
    providers: Annotated[
        dict[str, ProviderSettings], Meta(description="The identity providers, by names of your own.", examples=["acme"])
    ] = {}

    def __post_init__(self) -> None:
        if not self.providers:
            raise ValueError("providers: there is none; add a table such as [auth.saml.providers.acme]")
        for name in self.providers:
            if not _NAME.fullmatch(name):
                raise ValueError(f'providers: "{name}" must be of a-z, 0-9, _ and -: it is part of who people are')
        counted = Counter(domain for provider in self.providers.values() for domain in set(provider.domains))
        shared = sorted(domain for domain, count in counted.items() if count > 1)
        if shared:
            raise ValueError(f"providers: {', '.join(shared)} is a domain of two; each belongs to one")


def check_url(key: str, url: str | None) -> None:
    """People's passwords go there, and trust comes from there: only over TLS, or within this machine."""
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        raise ValueError(f'{key}: must begin with https://, got "{url}"')

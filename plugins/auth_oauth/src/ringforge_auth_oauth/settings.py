"""The tables [auth.google], [auth.github] and [auth.oidc].

The provider is told the callback `https://<the hub>/auth/<google, github or oidc>/callback`.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ringforge_core.plugin import Secret

ClientId = Annotated[
    str, Meta(description="Of the application that you registered at the provider.", examples=["ringforge"])
]
ClientSecret = Annotated[Secret, Meta(description="Of the same application.", examples=["file:/run/secrets/oauth_secret"])]


class GoogleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sign-in with Google."""

    client_id: ClientId
    client_secret: ClientSecret


class OpenIdSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sign-in with a provider of OpenID Connect."""

    client_id: ClientId
    client_secret: ClientSecret
    issuer: Annotated[
        str, Meta(description="The provider's address, as its ID tokens name it.", examples=["https://id.example.org"])
    ]
    label: Annotated[str, Meta(description="What people call it.")] = "single sign-on"

    def __post_init__(self) -> None:
        check_url("issuer", self.issuer)


class GitHubSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sign-in with GitHub, or with a GitHub Enterprise Server."""

    client_id: ClientId
    client_secret: ClientSecret
    url: Annotated[str, Meta(description="Where people sign in.")] = "https://github.com"
    api_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.github.com"

    def __post_init__(self) -> None:
        check_url("url", self.url)
        check_url("api_url", self.api_url)


def check_url(key: str, url: str) -> None:
    """Secrets go there: only over TLS, or within this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        raise ValueError(f'{key}: must begin with https://, got "{url}"')

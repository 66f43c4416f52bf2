"""Sign-in with Google, which is OpenID Connect."""

from __future__ import annotations

from ringforge_auth_oauth.openid import OpenIdConnect
from ringforge_auth_oauth.settings import GoogleSettings, OpenIdSettings
from ringforge_core.plugin import Adapter, hookimpl
from ringforge_core.ports.auth import Auth

ISSUER = "https://accounts.google.com"


def google(settings: GoogleSettings, *, issuer: str = ISSUER) -> OpenIdConnect:
    return OpenIdConnect(
        OpenIdSettings(client_id=settings.client_id, client_secret=settings.client_secret, issuer=issuer, label="Google"),
        provider="google",
    )


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=Auth, settings_type=GoogleSettings, create=lambda settings, context: google(settings))

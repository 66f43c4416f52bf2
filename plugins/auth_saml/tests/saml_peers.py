"""The identity provider that the adapter meets: pysaml2, with keys of its own, and a page that posts its answers."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from litestar import Litestar, MediaType, Request, get

from ringforge_core.ports.auth import Begun

ISSUER = "https://id.acme.example/metadata"
ENTITY_ID = "https://hub.example.org/auth/saml/metadata"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


class KeyPair:
    """A key and a certificate of it that a provider signed itself, valid from `begins` on for two days."""

    def __init__(self, name: str = "acme", *, begins: datetime | None = None) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        begins = begins or datetime.now(UTC) - timedelta(days=1)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(subject, subject, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=2))
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class Pysaml2Provider:
    """pysaml2 as an identity provider that knows one hub by its metadata."""

    def __init__(self, directory: Path, keys: KeyPair, sso_url: str, hub_metadata: str) -> None:
        binary = shutil.which("xmlsec1")
        if binary is None:
            pytest.skip("xmlsec1 is missing, which pysaml2 signs with: apt-get install xmlsec1")
        from saml2 import BINDING_HTTP_REDIRECT
        from saml2.config import IdPConfig
        from saml2.server import Server

        (directory / "key.pem").write_text(keys.key_pem)
        (directory / "certificate.pem").write_text(keys.certificate_pem)
        settings: dict[str, Any] = {
            "entityid": ISSUER,
            "xmlsec_binary": binary,
            "key_file": str(directory / "key.pem"),
            "cert_file": str(directory / "certificate.pem"),
            "metadata": {"inline": [hub_metadata]},
            "service": {"idp": {"endpoints": {"single_sign_on_service": [(sso_url, BINDING_HTTP_REDIRECT)]}}},
        }
        self.server = Server(config=IdPConfig().load(settings))

    @property
    def metadata(self) -> str:
        from saml2.metadata import entity_descriptor

        return str(entity_descriptor(self.server.config))

    def answer(self, url: str, email: str, *, signs: str = "assertion", **attributes: str) -> tuple[str, dict[str, str]]:
        """Where the browser posts what, when it comes with `url` and is `email` here."""
        from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
        from saml2.authn_context import PASSWORD
        from saml2.saml import NameID
        from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

        query = dict(parse_qsl(urlsplit(url).query))
        request = self.server.parse_authn_request(query["SAMLRequest"], BINDING_HTTP_REDIRECT).message
        asked = self.server.response_args(request, [BINDING_HTTP_POST])
        response = self.server.create_authn_response(
            {"mail": [email], "displayName": ["Ada Lovelace"], **attributes}, userid=email,
            name_id=NameID(format=PERSISTENT, text=f"id-of-{email.partition('@')[0]}"),
            authn={"class_ref": PASSWORD, "authn_auth": ISSUER}, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256,
            sign_assertion=signs in ("assertion", "both"), sign_response=signs in ("response", "both"),
            in_response_to=asked["in_response_to"], destination=asked["destination"], sp_entity_id=asked["sp_entity_id"],
        )  # fmt: skip
        encoded = base64.b64encode(str(response).encode()).decode()
        return asked["destination"], {"SAMLResponse": encoded, "RelayState": query["RelayState"]}


class Person:
    """Somebody who is `email` at the provider."""

    def __init__(self, provider: Pysaml2Provider, email: str = "ada@example.org", **how: str) -> None:
        self._provider = provider
        self._email = email
        self._how = how

    async def __call__(self, begun: Begun) -> Mapping[str, str]:
        assert begun.redirect_url is not None
        _, posted = await asyncio.to_thread(self._provider.answer, begun.redirect_url, self._email, **self._how)
        return posted


class ProviderSite:
    """The pages of `Pysaml2Provider`: its metadata, and a sign-in where everybody is `email` at once."""

    def __init__(self, directory: Path, port: int) -> None:
        self.url = f"http://localhost:{port}"  # another site than the hub's 127.0.0.1, as in life
        self.email = "ada@example.org"
        self.provider: Pysaml2Provider | None = None
        self._directory = directory

    def meet(self, hub_metadata: str) -> None:
        self.provider = Pysaml2Provider(self._directory, KeyPair(), f"{self.url}/sso", hub_metadata)

    def application(self) -> Litestar:
        @get("/metadata", media_type="application/samlmetadata+xml", sync_to_thread=True)
        def metadata() -> str:
            assert self.provider is not None
            return self.provider.metadata

        @get("/sso", media_type=MediaType.HTML, sync_to_thread=True)
        def sign_in(request: Request[Any, Any, Any]) -> str:
            assert self.provider is not None
            address, fields = self.provider.answer(str(request.url), self.email)
            inputs = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items())
            form = f'<form method="post" action="{address}">{inputs}</form>'
            icon = '<link rel="icon" href="data:,">'
            return f"<!doctype html>{icon}<title>Acme</title>{form}<script>document.forms[0].submit()</script>"

        return Litestar([metadata, sign_in], openapi_config=None)

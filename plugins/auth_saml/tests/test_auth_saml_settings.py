"""[auth.saml] and where descriptions of providers come from: what is wrong is told with what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Response, get
from lxml import etree
from ringforge_auth_saml import Saml, SamlSettings, sources
from ringforge_auth_saml.documents import NotProven, read_document
from ringforge_auth_saml.metadata import read_metadata
from ringforge_auth_saml.settings import ProviderSettings
from saml_forgery import posted, response, with_signed_assertion
from saml_peers import ENTITY_ID, ISSUER, KeyPair

from ringforge_core.errors import ConfigError, Unauthenticated, Unavailable
from ringforge_core.plugin import AdapterContext
from ringforge_core.testkit.auth import answer, new_attempt
from ringforge_core.testkit.served import served

KEYS, NEW_KEYS = KeyPair(), KeyPair()
SSO = "https://id.acme.example/sso"
METADATA = """\
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
 entityID="{entity_id}"{more}><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>bm9uZQ==</ds:X509Certificate></ds:X509Data>
</ds:KeyInfo></md:KeyDescriptor>{keys}
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{binding}" Location="{sso}"/>
</md:IDPSSODescriptor></md:EntityDescriptor>"""
KEY = """<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
</md:KeyDescriptor>"""


def metadata(*keys: KeyPair, entity_id: str = ISSUER, binding: str = "Redirect", sso: str = SSO, more: str = "") -> str:
    bodies = ["".join(pair.certificate_pem.splitlines()[1:-1]) for pair in keys]
    return METADATA.format(
        entity_id=entity_id, keys="".join(KEY.format(body) for body in bodies), binding=binding, sso=sso, more=more
    )


def provider(**other: Any) -> ProviderSettings:
    return ProviderSettings(**{"tenant": "acme", "domains": ("example.org",), **other})


def saml(settings: ProviderSettings, public_url: str | None = None, entity_id: str | None = ENTITY_ID) -> Saml:
    context = AdapterContext(data_directory=Path(), store=None, node="n", public_url=public_url)  # type: ignore[arg-type]
    return Saml(SamlSettings(entity_id=entity_id, providers={"acme": settings}), context)


# --- the tables ---------------------------------------------------------------------------------------------------

INLINE = {"entity_id": ISSUER, "sso_url": SSO, "certificates": (KEYS.certificate_pem,)}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "says not enough of the provider: give metadata_file, or metadata_url, or all of"),
        ({**INLINE, "certificates": ()}, "says not enough"),
        ({**INLINE, "domains": ()}, "domains: name at least one"),
        ({**INLINE, "domains": ("Example.org",)}, "no domain in small letters"),
        ({**INLINE, "domains": ("@example.org",)}, "no domain in small letters"),
        ({**INLINE, "certificates": ("-----BEGIN CERTIFICATE-----\nbm9uZQ==",)}, "no X.509 certificate"),
        ({**INLINE, "sso_url": "http://id.acme.example/sso"}, "sso_url: must begin with https"),
        ({"metadata_url": "http://id.acme.example"}, "metadata_url: must begin with https"),
        ({"metadata_url": "https://x.example", "metadata_file": Path("x")}, "not both"),
        ({"metadata_url": "https://x.example", "sso_url": SSO}, "are in the metadata"),
    ],
)
def test_a_table_that_is_wrong_says_what_is_missing(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        provider(**given)


@pytest.mark.parametrize(
    ("providers", "words"),
    [
        ({}, "add a table such as"),
        ({"Acme:": provider(**INLINE)}, "must be of a-z"),
        ({"a": provider(**INLINE), "b": provider(**INLINE)}, "example.org is a domain of two"),
    ],
)
def test_the_providers_go_together(providers: dict[str, ProviderSettings], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SamlSettings(providers=providers)


async def test_the_hub_is_known_by_the_address_of_its_metadata() -> None:
    auth = saml(provider(**INLINE), public_url="https://hub.example.org", entity_id=None)
    document = await auth.metadata("https://hub.example.org/auth/saml/callback")
    assert 'entityID="https://hub.example.org/auth/saml/metadata"' in document.text
    with pytest.raises(ConfigError, match="needs a name") as refused:
        saml(provider(**INLINE), entity_id=None)
    assert "public_url" in refused.value.fix


# --- metadata of providers ----------------------------------------------------------------------------------------


def test_metadata_is_read_with_all_keys_that_sign() -> None:
    known = read_metadata(metadata(KEYS, NEW_KEYS).encode())
    assert (known.entity_id, known.sso_url) == (ISSUER, SSO)
    assert list(known.certificates) == [KEYS.certificate, NEW_KEYS.certificate]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (metadata(), "no certificate to sign with"),
        (metadata(KEYS, binding="POST"), "binding HTTP-Redirect"),
        ("<html/>", "in there: none"),
        ("no xml", "cannot be read"),
        (f"<!DOCTYPE a><a>{metadata(KEYS)}</a>", "document type"),
        (f"<a>{metadata(KEYS)}{metadata(KEYS, entity_id='https://other.example')}</a>", "in there: .*acme.*other"),
    ],
)
def test_metadata_that_is_of_no_use_says_why(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_metadata(text.encode())


def test_of_a_federation_the_named_one_is_taken() -> None:
    other = "https://other.example"
    both = f"<a>{metadata(KEYS)}{metadata(NEW_KEYS, entity_id=other)}</a>"
    assert list(read_metadata(both.encode(), other).certificates) == [NEW_KEYS.certificate]


async def test_a_file_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[auth.saml.providers.acme\] metadata_file"):
        await saml(provider(metadata_file=tmp_path / "none.xml")).start()


async def test_a_provider_that_leads_people_to_an_open_line_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "metadata.xml"
    file.write_text(metadata(KEYS, sso="http://id.acme.example/sso"))
    with pytest.raises(ConfigError, match="must begin with https"):
        await saml(provider(metadata_file=file)).start()


# --- metadata at an address ---------------------------------------------------------------------------------------


class Site:
    """Serves what `text` is; counts how often."""

    def __init__(self) -> None:
        self.text = metadata(KEYS)
        self.status = 200
        self.asked = 0

    def application(self) -> Litestar:
        @get("/")
        async def show() -> Response[str]:
            self.asked += 1
            return Response(self.text, status_code=self.status, media_type="application/samlmetadata+xml")

        return Litestar([show], openapi_config=None)


@asynccontextmanager
async def known_by_address() -> AsyncIterator[tuple[Site, Saml]]:
    site = Site()
    async with served(site.application()) as url:
        auth = saml(provider(metadata_url=url))
        await auth.start()
        yield site, auth


async def sign_in(auth: Saml, keys: KeyPair) -> str:
    begun = await auth.begin(new_attempt())
    text = posted(with_signed_assertion(response(begun.kept["request"]), keys))
    return (await auth.complete(answer({"SAMLResponse": text}, begun))).subject


async def test_metadata_is_fetched_once_and_again_when_the_provider_has_a_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with known_by_address() as (site, auth):
        for _ in range(3):
            assert await sign_in(auth, KEYS) == "acme:ada"
        assert site.asked == 1
        site.text = metadata(NEW_KEYS)
        with pytest.raises(Unauthenticated):  # so soon it is not asked again: anybody can sign wrongly
            await sign_in(auth, NEW_KEYS)
        assert site.asked == 1
        monkeypatch.setattr(sources, "AT_MOST_EVERY_SECONDS", 0)
        assert await sign_in(auth, NEW_KEYS) == "acme:ada"
        with pytest.raises(Unauthenticated):
            await sign_in(auth, KEYS)


async def test_what_is_known_is_used_while_the_address_does_not_answer_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with known_by_address() as (site, auth):
        await sign_in(auth, KEYS)
        site.status = 500
        monkeypatch.setattr(sources, "AT_MOST_EVERY_SECONDS", 0)
        monkeypatch.setattr(sources, "KNOWN_FOR_SECONDS", 0)
        assert await sign_in(auth, KEYS) == "acme:ada"
        assert site.asked > 1
        monkeypatch.setattr(sources, "USED_FOR_SECONDS", 0)
        with pytest.raises(Unavailable):
            await sign_in(auth, KEYS)


async def test_metadata_that_says_it_is_too_old_is_not_used() -> None:
    async with known_by_address() as (site, auth):
        site.text = metadata(KEYS, more=' validUntil="2020-01-01T00:00:00Z"')
        with pytest.raises(Unavailable):
            await sign_in(auth, KEYS)


@pytest.mark.parametrize("text", ["x" * (4 * 1024 * 1024 + 1), "<html/>"], ids=["too long", "something else"])
async def test_an_address_with_something_else_makes_it_unavailable(text: str) -> None:
    async with known_by_address() as (site, auth):
        site.text = text
        with pytest.raises(Unavailable):
            await auth.begin(new_attempt())


def test_what_we_write_is_read_by_the_same_rules() -> None:
    root = read_document(etree.tostring(response("_r")), longest=10_000)
    assert root.get("InResponseTo") == "_r"
    with pytest.raises(NotProven):
        read_document(etree.tostring(response("_r")), longest=10)

"""SAML is an Auth, on pysaml2 as the identity provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ringforge_auth_saml import Saml, SamlSettings
from ringforge_auth_saml.metadata import service_metadata
from ringforge_auth_saml.settings import ProviderSettings
from saml_peers import ENTITY_ID, KeyPair, Person, Pysaml2Provider

from ringforge_core.errors import Unauthenticated
from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.auth import Auth, TenantOf
from ringforge_core.testkit.auth import CALLBACK, EMAIL, AuthContract, answer, new_attempt

SSO = "https://id.acme.example/sso"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Pysaml2Provider:
    """It knows the hub by the hub's own metadata."""
    return Pysaml2Provider(tmp_path_factory.mktemp("provider"), KeyPair(), SSO, service_metadata(ENTITY_ID, CALLBACK))


@pytest.fixture
async def auth(provider: Pysaml2Provider, tmp_path: Path) -> AsyncIterator[Auth]:
    """And the hub knows it by its own."""
    file = tmp_path / "metadata.xml"
    file.write_text(provider.metadata)
    settings = ProviderSettings(tenant="acme", domains=("example.org",), metadata_file=file)
    context = AdapterContext(data_directory=tmp_path, store=None, node="test")  # type: ignore[arg-type]  # not needed
    auth = Saml(SamlSettings(entity_id=ENTITY_ID, providers={"acme": settings}), context)
    await auth.start()
    yield auth
    await auth.stop()


class TestSaml(AuthContract):
    @pytest.fixture
    def person(self, provider: Pysaml2Provider) -> Person:
        return Person(provider)


@pytest.mark.parametrize("signs", ["response", "both"])
async def test_the_response_around_it_may_be_signed_instead(auth: Auth, provider: Pysaml2Provider, signs: str) -> None:
    begun = await auth.begin(new_attempt())
    identity = await auth.complete(answer(await Person(provider, signs=signs)(begun), begun))
    assert (identity.subject, identity.email, identity.name) == ("acme:id-of-ada", EMAIL, "Ada Lovelace")
    assert identity.tenant == TenantOf("acme", "member")


async def test_an_email_of_another_domain_is_told_as_unverified(auth: Auth, provider: Pysaml2Provider) -> None:
    begun = await auth.begin(new_attempt())
    identity = await auth.complete(answer(await Person(provider, "ada@elsewhere.example")(begun), begun))
    assert (identity.email, identity.email_verified) == ("ada@elsewhere.example", False)


async def test_an_unsigned_answer_of_the_real_provider_is_refused(auth: Auth, provider: Pysaml2Provider) -> None:
    begun = await auth.begin(new_attempt())
    with pytest.raises(Unauthenticated):
        await auth.complete(answer(await Person(provider, signs="nothing")(begun), begun))

"""Who an assertion is about, as different providers write it."""

from __future__ import annotations

import pytest
from saml_forgery import posted, response, with_signed_assertion
from saml_service import KEYS, begun, complete, saml

from ringforge_core.ports.auth import VerifiedIdentity

EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
ENTRA = (
    f'<saml:Attribute Name="{CLAIMS}/emailaddress"><saml:AttributeValue>ada@example.org</saml:AttributeValue>'
    '</saml:Attribute><saml:Attribute Name="http://schemas.microsoft.com/identity/claims/displayname">'
    "<saml:AttributeValue>Ada Lovelace</saml:AttributeValue></saml:Attribute>"
)
SHIBBOLETH = (
    '<saml:Attribute Name="urn:oid:1.3.6.1.4.1.5923.1.1.1.10"><saml:AttributeValue><saml:NameID>t</saml:NameID>'
    '</saml:AttributeValue></saml:Attribute><saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3">'
    "<saml:AttributeValue> ada@example.org </saml:AttributeValue></saml:Attribute>"
    '<saml:Attribute Name="urn:oid:2.5.4.3"><saml:AttributeValue>Ada L.</saml:AttributeValue></saml:Attribute>'
)


async def identity(attributes: str, **parts: str) -> VerifiedIdentity:
    auth = saml()
    attempt, request_id = await begun(auth)
    root = response(request_id, attributes=attributes, **parts)
    return await complete(auth, attempt, posted(with_signed_assertion(root, KEYS)))


@pytest.mark.parametrize(("attributes", "name"), [(ENTRA, "Ada Lovelace"), (SHIBBOLETH, "Ada L.")])
async def test_attributes_go_by_many_names(attributes: str, name: str) -> None:
    person = await identity(attributes)
    assert (person.subject, person.email, person.email_verified, person.name) == ("acme:ada", "ada@example.org", True, name)


async def test_a_name_that_is_an_email_is_the_same_however_it_is_written() -> None:
    written = [
        await identity("", name_format=EMAIL_ADDRESS, name_id=text) for text in ("Ada@Example.org", "ada@example.org")
    ]
    assert {person.subject for person in written} == {"acme:ada@example.org"}
    assert [person.email_verified for person in written] == [True, True]


async def test_without_an_email_there_is_none_to_trust() -> None:
    person = await identity("")
    assert (person.email, person.email_verified) == (None, False)

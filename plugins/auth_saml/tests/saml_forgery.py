"""Responses as a provider makes them, and as an attacker does: any part of them can be another one."""

from __future__ import annotations

import base64
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree
from saml_peers import ENTITY_ID, ISSUER, PERSISTENT, KeyPair
from signxml.algorithms import DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from ringforge_core.testkit.auth import CALLBACK

ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"

EVIL = "eve"
TEMPLATE = """\
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"
 ID="_response" Version="2.0" IssueInstant="{now}" Destination="{destination}" InResponseTo="{response_to}"
><saml:Issuer>{response_issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status
><saml:Assertion ID="{assertion_id}" Version="2.0" IssueInstant="{now}"><saml:Issuer>{issuer}</saml:Issuer
><saml:Subject><saml:NameID Format="{name_format}">{name_id}</saml:NameID
><saml:SubjectConfirmation Method="{method}"><saml:SubjectConfirmationData InResponseTo="{confirms}"
 Recipient="{recipient}" NotOnOrAfter="{until}"/></saml:SubjectConfirmation></saml:Subject
><saml:Conditions NotBefore="{begin}" NotOnOrAfter="{until}"><saml:AudienceRestriction
><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>{condition}</saml:Conditions
><saml:AuthnStatement AuthnInstant="{now}" SessionIndex="1"/><saml:AttributeStatement>{attributes}</saml:AttributeStatement
></saml:Assertion></samlp:Response>"""


MAIL = '<saml:Attribute Name="mail"><saml:AttributeValue>{}</saml:AttributeValue></saml:Attribute>'


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def response(request_id: str, **other: Any) -> etree._Element:
    """A good response to this request, not signed yet; `other` are parts of the template."""
    at = datetime.now(UTC)
    parts = {
        "now": stamp(at), "begin": stamp(at - timedelta(seconds=5)), "until": stamp(at + timedelta(minutes=5)),
        "destination": CALLBACK, "recipient": CALLBACK, "response_to": request_id, "confirms": request_id,
        "issuer": ISSUER, "response_issuer": ISSUER, "status": SUCCESS, "audience": ENTITY_ID, "method": BEARER,
        "name_format": PERSISTENT, "name_id": "ada", "assertion_id": "_assertion", "condition": "",
        "attributes": MAIL.format(other.get("email", "ada@example.org")), **other,
    }  # fmt: skip
    return etree.fromstring(TEMPLATE.format(**parts))


def assertion_of(root: etree._Element) -> etree._Element:
    found = root.find(f"{ASSERTION}Assertion")
    assert found is not None
    return found


class AnyAlgorithmSigner(XMLSigner):
    """Signs with what signxml refuses to sign with."""

    def check_deprecated_methods(self) -> None:
        """SHA-1 is what the test is about."""


def signed(
    element: etree._Element, keys: KeyPair, *, method: SignatureMethod = SignatureMethod.RSA_SHA256,
    digest: DigestAlgorithm = DigestAlgorithm.SHA256, hmac: bytes | None = None, c14n: str = EXCLUSIVE,
) -> etree._Element:  # fmt: skip
    """The element with a signature of its own, placed after the issuer, as the schema has it."""
    signer = AnyAlgorithmSigner(
        method=SignatureConstructionMethod.enveloped, signature_algorithm=method, digest_algorithm=digest,
        c14n_algorithm=c14n,  # type: ignore[arg-type]  # its values are texts
    )  # fmt: skip
    given: dict[str, Any] = {"key": hmac} if hmac is not None else {"key": keys.key, "cert": [keys.certificate]}
    made = signer.sign(element, reference_uri=f"#{element.get('ID')}", id_attribute="ID", **given)
    signature = made.find(SIGNATURE)
    made.remove(signature)
    made.insert(1, signature)
    return made


def with_signed_assertion(root: etree._Element, keys: KeyPair, **how: Any) -> etree._Element:
    assertion = assertion_of(root)
    root.replace(assertion, signed(assertion, keys, **how))
    return root


def evil_twin(root: etree._Element, assertion_id: str = "_evil") -> etree._Element:
    """A copy of the assertion that is about somebody else, without the signature."""
    twin = deepcopy(assertion_of(root))
    twin.set("ID", assertion_id)
    for signature in twin.findall(SIGNATURE):
        twin.remove(signature)
    (name,) = twin.iter(f"{ASSERTION}NameID")
    name.text = EVIL
    return twin


def posted(root: etree._Element | bytes) -> str:
    document = root if isinstance(root, bytes) else etree.tostring(root)
    return base64.b64encode(document).decode()

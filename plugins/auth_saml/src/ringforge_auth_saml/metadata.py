"""How two sides of SAML describe themselves: an identity provider's metadata, read; and the hub's, written."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec
from cryptography.x509 import Certificate, load_der_x509_certificate
from lxml import etree

from ringforge_auth_saml.documents import (
    EMAIL_ADDRESS,
    METADATA,
    PERSISTENT,
    POST_BINDING,
    PROTOCOL,
    REDIRECT_BINDING,
    Element,
    NotProven,
    find_all,
    instant_of,
    read_document,
    text_of,
)

LONGEST = 4 * 1024 * 1024
"""Bytes: metadata of one provider has a few thousand, that of a federation some more."""


class IdentityProvider(msgspec.Struct, frozen=True, kw_only=True):
    """What an identity provider says of itself, or the operator of it; `valid_until` None: until it is read anew."""

    entity_id: str
    sso_url: str
    certificates: Sequence[Certificate]
    valid_until: datetime | None = None


def read_metadata(document: bytes, entity_id: str | None = None) -> IdentityProvider:
    """The provider of this entity ID, or the only one that is in there. Raises `ValueError` with what is missing."""
    try:
        root = read_document(document, longest=LONGEST)
        entity = _entity(root, entity_id)
        role = next(iter(find_all(entity, "./md:IDPSSODescriptor")))
        return IdentityProvider(
            entity_id=entity.get("entityID", ""), sso_url=_sso_url(role), certificates=_certificates(role),
            valid_until=_valid_until(root, entity, role),
        )  # fmt: skip
    except NotProven as error:
        raise ValueError(f"the metadata cannot be read: {error}") from error


def read_certificate(text: str) -> Certificate:
    """A certificate in PEM, or as the base64 within it. Raises `ValueError`."""
    body = re.sub(r"-----[A-Z ]+-----|\s", "", text)
    try:
        return load_der_x509_certificate(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("certificates: this is no X.509 certificate in PEM") from None


def service_metadata(entity_id: str, callback_url: str) -> str:
    """What a provider must know of this hub: who it is, where it takes answers, and that they must be signed."""
    root = etree.Element(f"{{{METADATA}}}EntityDescriptor", nsmap={"md": METADATA})
    root.set("entityID", entity_id)
    role = etree.SubElement(root, f"{{{METADATA}}}SPSSODescriptor")
    role.set("protocolSupportEnumeration", PROTOCOL)
    role.set("AuthnRequestsSigned", "false")
    role.set("WantAssertionsSigned", "true")
    for name_id in (PERSISTENT, EMAIL_ADDRESS):
        etree.SubElement(role, f"{{{METADATA}}}NameIDFormat").text = name_id
    service = etree.SubElement(role, f"{{{METADATA}}}AssertionConsumerService")
    service.set("Binding", POST_BINDING)
    service.set("Location", callback_url)
    service.set("index", "0")
    service.set("isDefault", "true")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True).decode()


def _entity(root: Element, entity_id: str | None) -> Element:
    entities = [
        entity for entity in root.iter(f"{{{METADATA}}}EntityDescriptor") if find_all(entity, "./md:IDPSSODescriptor")
    ]
    chosen = [entity for entity in entities if entity_id is None or entity.get("entityID") == entity_id]
    if len(chosen) != 1 or not chosen[0].get("entityID"):
        there = ", ".join(str(entity.get("entityID")) for entity in entities[:10]) or "none"
        raise ValueError(f"entity_id: it must be that of one identity provider in the metadata; in there: {there}")
    return chosen[0]


def _sso_url(role: Element) -> str:
    services = find_all(role, "./md:SingleSignOnService")
    urls = [service.get("Location") for service in services if service.get("Binding") == REDIRECT_BINDING]
    if not urls or not urls[0]:
        raise ValueError("the metadata has no SingleSignOnService with the binding HTTP-Redirect")
    return urls[0]


def _certificates(role: Element) -> list[Certificate]:
    keys = [key for key in find_all(role, "./md:KeyDescriptor") if key.get("use", "signing") == "signing"]
    certificates = [
        read_certificate(text_of(found)) for key in keys for found in find_all(key, ".//ds:X509Data/ds:X509Certificate")
    ]
    if not certificates:
        raise ValueError("the metadata has no certificate to sign with")
    return certificates


def _valid_until(*elements: Element) -> datetime | None:
    texts = [element.get("validUntil") for element in elements]
    return min((instant_of(text) for text in texts if text is not None), default=None)

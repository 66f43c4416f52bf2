"""The answer: from the posted text to the one assertion that the provider signed, for this question."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography.x509 import Certificate
from lxml import etree

from ringforge_auth_saml.assertion import check_assertion, check_issuer
from ringforge_auth_saml.documents import ASSERTION, PROTOCOL, Element, NotProven, find_all, find_one, read_document
from ringforge_auth_saml.signature import is_signed, signed_element

LONGEST = 256 * 1024
"""Bytes of the XML. Usual ones have 5 to 20 thousand; a person in hundreds of groups has more."""
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """`issuer` is the provider's entity ID, `audience` ours; `recipient` the address that the answer was posted to."""

    issuer: str
    audience: str
    recipient: str
    request_id: str
    at: datetime
    skew: timedelta


def read_response(posted: str, certificates: Sequence[Certificate], expected: Expected) -> Element:
    """The assertion, as it was signed. Raises `NotProven`, and `BadSignature` when it is by an unknown key."""
    root = read_document(_decode(posted), longest=LONGEST)
    if root.tag != f"{{{PROTOCOL}}}Response":
        raise NotProven(f"it is no response but a {etree.QName(root).localname}")
    _check_response(root, expected)
    assertion = _signed_assertion(root, certificates)
    check_assertion(
        assertion, issuer=expected.issuer, audience=expected.audience, recipient=expected.recipient,
        request_id=expected.request_id, at=expected.at, skew=expected.skew,
    )  # fmt: skip
    return assertion


def _decode(posted: str) -> bytes:
    compact = "".join(posted.split())
    if len(compact) > LONGEST * 4 // 3 + 4:
        raise NotProven(f"the response has more than {LONGEST} bytes")
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        raise NotProven("the response is not in base64") from None


def _check_response(root: Element, expected: Expected) -> None:
    """What stands around the assertion. It counts only if that is signed too; else it spares a look at a wrong one."""
    statuses = [code.get("Value") for code in find_all(root, "./samlp:Status/samlp:StatusCode")]
    if statuses != [SUCCESS]:
        raise NotProven(f"the provider's status is {_status(root) or 'missing'}")
    if root.get("Version") != "2.0":
        raise NotProven("it is not of SAML 2.0")
    if root.get("InResponseTo") != expected.request_id:
        raise NotProven("the response is not to this request")
    if root.get("Destination") != expected.recipient:
        raise NotProven(f"the response was sent to {root.get('Destination')}, not to {expected.recipient}")
    for issuer in find_all(root, "./saml:Issuer"):
        check_issuer(issuer, expected.issuer)


def _status(root: Element) -> str:
    codes = [code.get("Value", "").rpartition(":")[2] for code in root.iterfind(f".//{{{PROTOCOL}}}StatusCode")]
    return " ".join(codes[:3])


def _signed_assertion(root: Element, certificates: Sequence[Certificate]) -> Element:
    """Signed is the assertion, or the response around it; when both are, both signatures must be good."""
    if next(root.iter(f"{{{ASSERTION}}}EncryptedAssertion"), None) is not None:
        raise NotProven("the assertion is encrypted: turn that off at the provider, the way here is over TLS")
    if sum(1 for _ in root.iter(f"{{{ASSERTION}}}Assertion")) != 1:
        raise NotProven("there must be one assertion, and no other")
    assertion = find_one(root, "./saml:Assertion")
    if is_signed(assertion):
        own = signed_element(root, assertion, certificates)
        if is_signed(root):
            signed_element(root, root, certificates)
        return own
    if is_signed(root):
        return find_one(signed_element(root, root, certificates), "./saml:Assertion")
    raise NotProven("neither the assertion nor the response is signed")

"""What is tried on a service provider of SAML, and fails here, each for its own reason."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree
from saml_forgery import (
    ASSERTION,
    EVIL,
    assertion_of,
    evil_twin,
    posted,
    response,
    signed,
    stamp,
    with_signed_assertion,
)
from saml_peers import KeyPair
from saml_service import KEYS, begun, complete, refusal, saml
from signxml.algorithms import DigestAlgorithm, SignatureMethod

OTHER_KEYS = KeyPair()


async def test_an_answer_as_it_should_be_is_taken() -> None:
    """The rest of this file is worth nothing without this one."""
    auth = saml()
    attempt, request_id = await begun(auth)
    identity = await complete(auth, attempt, posted(with_signed_assertion(response(request_id), KEYS)))
    assert (identity.subject, identity.email, identity.email_verified) == ("acme:ada", "ada@example.org", True)


# --- the signature ------------------------------------------------------------------------------------------------


def is_not_signed(root: etree._Element) -> etree._Element:
    return root


def is_signed_by_another_key(root: etree._Element) -> etree._Element:
    """With the key's certificate in KeyInfo, for who believes that."""
    return with_signed_assertion(root, OTHER_KEYS)


def is_signed_with_sha1(root: etree._Element) -> etree._Element:
    return with_signed_assertion(root, KEYS, method=SignatureMethod.RSA_SHA1)


def has_a_digest_of_sha1(root: etree._Element) -> etree._Element:
    return with_signed_assertion(root, KEYS, digest=DigestAlgorithm.SHA1)


def is_signed_with_the_certificate_as_a_shared_secret(root: etree._Element) -> etree._Element:
    secret = KEYS.certificate_pem.encode()
    return with_signed_assertion(root, KEYS, method=SignatureMethod.HMAC_SHA256, hmac=secret)


def names_no_algorithm(root: etree._Element) -> etree._Element:
    made = with_signed_assertion(root, KEYS)
    (method,) = made.iter("{http://www.w3.org/2000/09/xmldsig#}SignatureMethod")
    method.set("Algorithm", "none")
    return made


def keeps_comments(root: etree._Element) -> etree._Element:
    """Then a comment could cut a signed name in two."""
    return with_signed_assertion(root, KEYS, c14n="http://www.w3.org/2001/10/xml-exc-c14n#WithComments")


def was_changed_afterwards(root: etree._Element) -> etree._Element:
    made = with_signed_assertion(root, KEYS)
    (name,) = made.iter(f"{ASSERTION}NameID")
    name.text = EVIL
    return made


def has_a_bad_signature_around_a_good_one(root: etree._Element) -> etree._Element:
    return signed(with_signed_assertion(root, KEYS), OTHER_KEYS)


SIGNATURES = {
    is_not_signed: "neither the assertion nor the response is signed",
    is_signed_by_another_key: "not by a known certificate",
    is_signed_with_sha1: "RSA_SHA1 forbidden",
    has_a_digest_of_sha1: "SHA1 forbidden",
    is_signed_with_the_certificate_as_a_shared_secret: "HMAC_SHA256 forbidden",
    names_no_algorithm: "Unrecognized SignatureMethod",
    keeps_comments: "in another way than SAML's",
    was_changed_afterwards: "Digest mismatch",
    has_a_bad_signature_around_a_good_one: "not by a known certificate",
}


@pytest.mark.parametrize("attack", SIGNATURES, ids=lambda attack: attack.__name__)
async def test_an_answer_is_refused_that(attack: Callable[[etree._Element], etree._Element]) -> None:
    auth = saml()
    attempt, request_id = await begun(auth)
    assert SIGNATURES[attack] in await refusal(auth, attempt, posted(attack(response(request_id))))


async def test_a_certificate_that_has_expired_is_not_trusted_any_more() -> None:
    old = KeyPair(begins=datetime.now(UTC) - timedelta(days=30))
    auth = saml(old)
    attempt, request_id = await begun(auth)
    assert "expired" in await refusal(auth, attempt, posted(with_signed_assertion(response(request_id), old)))


async def test_a_comment_does_not_cut_a_name() -> None:
    """It changes no signature: so `ada@example.org<!---->.evil.example` must be all of it."""
    auth = saml()
    attempt, request_id = await begun(auth)
    root = with_signed_assertion(response(request_id, name_id="ada.evil", email="ada@example.org.evil.example"), KEYS)
    text = etree.tostring(root).replace(b"ada.evil<", b"ada<!---->.evil<")
    text = text.replace(b"ada@example.org.evil", b"ada@example.org<!---->.evil")
    assert text.count(b"<!---->") == 2
    identity = await complete(auth, attempt, posted(text))
    assert identity.subject == "acme:ada.evil"
    assert (identity.email, identity.email_verified) == ("ada@example.org.evil.example", False)


# --- for whom, from whom, when ------------------------------------------------------------------------------------


def in_minutes(minutes: int) -> Callable[[], str]:
    """A time that is told when the test runs, and not when it is collected."""
    return lambda: stamp(datetime.now(UTC) + timedelta(minutes=minutes))


PARTS: list[tuple[dict[str, str | Callable[[], str]], str]] = [
    ({"audience": "https://other.example/metadata"}, "is for https://other.example/metadata, not for"),
    ({"recipient": "https://other.example/acs"}, "is to be brought to https://other.example/acs"),
    ({"destination": "https://other.example/acs"}, "was sent to https://other.example/acs"),
    ({"issuer": "https://other.example"}, "was issued by https://other.example"),
    ({"response_issuer": "https://other.example"}, "was issued by https://other.example"),
    ({"until": in_minutes(-10)}, "was valid until"),
    ({"begin": in_minutes(10)}, "valid from"),
    ({"until": "whenever"}, "is no time"),
    ({"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"}, "status is Responder"),
    ({"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"}, "not for a bearer"),
    ({"response_to": "_another"}, "not to this request"),
    ({"confirms": "_another"}, "not an answer to this request"),
    ({"name_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}, "format transient"),
    ({"name_format": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"}, "format unspecified"),
    ({"name_id": ""}, "NameID is empty"),
    ({"email": "no address"}, "the e-mail is none"),
    ({"condition": "<saml:Condition/>"}, "unknown conditions"),
]


@pytest.mark.parametrize(("other", "cause"), PARTS, ids=lambda value: value if isinstance(value, str) else "")
async def test_an_answer_that_is_signed_and_not_for_us_now(other: dict[str, str | Callable[[], str]], cause: str) -> None:
    auth = saml()
    attempt, request_id = await begun(auth)
    parts = {name: value if isinstance(value, str) else value() for name, value in other.items()}
    root = with_signed_assertion(response(request_id, **parts), KEYS)
    assert cause in await refusal(auth, attempt, posted(root))


@pytest.mark.parametrize(
    ("path", "attribute", "cause"),
    [
        (".", "InResponseTo", "not to this request"),
        (".", "Destination", "was sent to None"),
        (f".//{ASSERTION}SubjectConfirmationData", "InResponseTo", "not an answer to this request"),
        (f".//{ASSERTION}SubjectConfirmationData", "Recipient", "brought to None"),
        (f".//{ASSERTION}SubjectConfirmationData", "NotOnOrAfter", "until when"),
    ],
)
async def test_an_answer_that_leaves_out_what_must_be_said(path: str, attribute: str, cause: str) -> None:
    """Without InResponseTo it is one that nobody asked for (IdP-initiated)."""
    auth = saml()
    attempt, request_id = await begun(auth)
    root = response(request_id)
    element = root.find(path)
    assert element is not None
    del element.attrib[attribute]
    assert cause in await refusal(auth, attempt, posted(with_signed_assertion(root, KEYS)))


@pytest.mark.parametrize("name", ["AudienceRestriction", "SubjectConfirmation", "AuthnStatement", "Conditions", "NameID"])
async def test_an_assertion_that_lacks_a_part(name: str) -> None:
    auth = saml()
    attempt, request_id = await begun(auth)
    root = response(request_id)
    (part,) = root.iter(f"{ASSERTION}{name}")
    parent = part.getparent()
    assert parent is not None
    parent.remove(part)
    assert await refusal(auth, attempt, posted(with_signed_assertion(root, KEYS)))


async def test_clocks_may_be_apart_by_as_much_as_is_set() -> None:
    at = datetime.now(UTC)
    late = {"begin": stamp(at - timedelta(minutes=5)), "until": stamp(at - timedelta(seconds=90))}
    for skew, is_taken in ((60, False), (120, True)):
        auth = saml(clock_skew_seconds=skew)
        attempt, request_id = await begun(auth)
        text = posted(with_signed_assertion(response(request_id, **late), KEYS))
        if is_taken:
            assert (await complete(auth, attempt, text)).subject == "acme:ada"
        else:
            assert "was valid until" in await refusal(auth, attempt, text)


async def test_two_assertions_are_refused_though_both_are_signed() -> None:
    auth = saml()
    attempt, request_id = await begun(auth)
    root = with_signed_assertion(response(request_id), KEYS)
    root.append(signed(evil_twin(root), KEYS))
    assert "there must be one assertion" in await refusal(auth, attempt, posted(root))


async def test_an_encrypted_assertion_is_refused_with_what_to_do() -> None:
    auth = saml()
    attempt, request_id = await begun(auth)
    root = response(request_id)
    root.replace(assertion_of(root), etree.Element(f"{ASSERTION}EncryptedAssertion"))
    assert "turn that off at the provider" in await refusal(auth, attempt, posted(signed(root, KEYS)))


@pytest.mark.parametrize(
    "email", ["ada@EXAMPLE.ORG", "ada@sub.example.org", "ada@example.org@evil.example", "eve,ada@example.org", "ada@ﬆ.org"]
)
async def test_only_emails_of_its_domains_are_believed_of_a_provider(email: str) -> None:
    auth = saml()
    attempt, request_id = await begun(auth)
    text = posted(with_signed_assertion(response(request_id, email=email), KEYS))
    if email == "ada@EXAMPLE.ORG":  # domains have no case
        assert (await complete(auth, attempt, text)).email_verified is True
    elif email == "ada@sub.example.org":
        assert (await complete(auth, attempt, text)).email_verified is False
    else:
        assert "the e-mail is none" in await refusal(auth, attempt, text)


# --- documents that are meant to hurt -----------------------------------------------------------------------------

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DOCTYPE = '<!DOCTYPE r [<!ENTITY l0 "ha">{}]><r>&l9;</r>'
DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "external entity": (b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>', "document type"),
    "external DTD": (b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/evil.dtd"><r/>', "document type"),
    "billion laughs": (DOCTYPE.format(LAUGHS).encode(), "document type"),
    "hidden by UTF-16": (DOCTYPE.format(LAUGHS).encode("utf-16"), "not UTF-8"),
    "hidden by UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE r+AD4<r/>', "no XML"),
    "too long": (b"<r>" + b"x" * 300_000 + b"</r>", "more than"),
    "too deep": (b"<r>" * 5000 + b"</r>" * 5000, "no XML"),
    "no XML": (b"\x00\x01\x02", "no XML"),
    "nothing": (b"", "no response"),
    "something else": (b"<html/>", "no response but a html"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_document_that_is_meant_to_hurt(name: str) -> None:
    document, cause = DOCUMENTS[name]
    auth = saml()
    attempt, _ = await begun(auth)
    assert cause in await refusal(auth, attempt, base64.b64encode(document).decode())


async def test_what_is_not_base64_is_refused() -> None:
    auth = saml()
    attempt, _ = await begun(auth)
    assert "base64" in await refusal(auth, attempt, "<xml>")

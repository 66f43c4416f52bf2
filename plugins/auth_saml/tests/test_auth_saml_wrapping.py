"""Signature wrapping: a good signature, and an assertion of the attacker's where one might look."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from lxml import etree
from ringforge_auth_saml.documents import NotProven, read_document
from ringforge_auth_saml.response import LONGEST
from ringforge_auth_saml.signature import signed_element
from saml_forgery import (
    ASSERTION,
    PROTOCOL,
    SIGNATURE,
    assertion_of,
    evil_twin,
    posted,
    response,
    signed,
    with_signed_assertion,
)
from saml_peers import ISSUER
from saml_service import KEYS, begun, refusal, saml


def take_signature(element: etree._Element) -> etree._Element:
    signature = element.find(SIGNATURE)
    assert signature is not None
    element.remove(signature)
    return signature


def within(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, name)


def evil_before_good(root: etree._Element) -> etree._Element:
    root.insert(2, evil_twin(root))
    return root


def evil_after_good(root: etree._Element) -> etree._Element:
    root.append(evil_twin(root))
    return root


def good_within_evil(root: etree._Element) -> etree._Element:
    good, evil = assertion_of(root), evil_twin(root)
    root.replace(good, evil)
    evil.append(good)
    return root


def evil_within_good(root: etree._Element) -> etree._Element:
    """In the signature, which its own digest leaves out."""
    good = assertion_of(root)
    signature = good.find(SIGNATURE)
    assert signature is not None
    within(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(evil_twin(root))
    return root


def evil_with_the_signature_of_good_beside_it(root: etree._Element) -> etree._Element:
    good, evil = assertion_of(root), evil_twin(root)
    evil.insert(1, take_signature(good))
    root.insert(2, evil)
    return root


def evil_with_the_signature_that_holds_good(root: etree._Element) -> etree._Element:
    good, evil = assertion_of(root), evil_twin(root)
    signature = take_signature(good)
    within(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(good)
    evil.insert(1, signature)
    root.append(evil)
    return root


def evil_in_the_place_and_good_in_an_extension(root: etree._Element) -> etree._Element:
    good, evil = assertion_of(root), evil_twin(root)
    root.replace(good, evil)
    extensions = etree.Element(f"{PROTOCOL}Extensions")
    extensions.append(good)
    root.insert(1, extensions)
    return root


def evil_of_the_same_id(root: etree._Element) -> etree._Element:
    """Which of the two is meant by the signature?"""
    root.insert(2, evil_twin(root, "_assertion"))
    return root


def evil_where_the_good_one_hides_under_another_name(root: etree._Element) -> etree._Element:
    """There is one Assertion then, with a signature; it covers what lies in the extension."""
    good, evil = assertion_of(root), evil_twin(root)
    evil.insert(1, take_signature(good))
    root.replace(good, evil)
    good.tag = f"{ASSERTION}Advice"
    extensions = etree.Element(f"{PROTOCOL}Extensions")
    extensions.append(good)
    root.insert(1, extensions)
    return root


def evil_around_the_whole_response(root: etree._Element) -> etree._Element:
    outer = deepcopy(root)
    outer.set("ID", "_outer")
    for signature in outer.findall(SIGNATURE):
        outer.remove(signature)
    outer.replace(assertion_of(outer), evil_twin(root))
    extensions = etree.Element(f"{PROTOCOL}Extensions")
    extensions.append(root)
    outer.insert(1, extensions)
    return outer


def evil_around_with_the_signature(root: etree._Element) -> etree._Element:
    outer = evil_around_the_whole_response(root)
    outer.insert(1, take_signature(root))
    return outer


def evil_around_of_the_same_id(root: etree._Element) -> etree._Element:
    outer = evil_around_with_the_signature(root)
    outer.set("ID", str(root.get("ID")))
    return outer


WRAPPINGS = [
    evil_before_good, evil_after_good, good_within_evil, evil_within_good, evil_with_the_signature_of_good_beside_it,
    evil_with_the_signature_that_holds_good, evil_in_the_place_and_good_in_an_extension, evil_of_the_same_id,
    evil_where_the_good_one_hides_under_another_name,
]  # fmt: skip
RESPONSE_WRAPPINGS = [evil_around_the_whole_response, evil_around_with_the_signature, evil_around_of_the_same_id]
SHAPES = [(wrap, with_signed_assertion) for wrap in WRAPPINGS] + [(wrap, signed) for wrap in RESPONSE_WRAPPINGS]


@pytest.mark.parametrize(("wrap", "sign"), SHAPES, ids=lambda value: value.__name__)
async def test_signature_wrapping(wrap: Any, sign: Any) -> None:
    auth = saml()
    attempt, request_id = await begun(auth)
    assert await refusal(auth, attempt, posted(wrap(sign(response(request_id), KEYS))))


@pytest.mark.parametrize(("wrap", "sign"), SHAPES, ids=lambda value: value.__name__)
def test_signature_wrapping_what_is_handed_back_is_never_the_attackers(wrap: Any, sign: Any) -> None:
    """The second lock: were assertions not counted, what signxml says was signed would still be the good one, or none."""
    root = read_document(etree.tostring(wrap(sign(response("_request"), KEYS))), longest=LONGEST)
    for holder in [root, *root.findall(f"{ASSERTION}Assertion")]:
        with suppress(NotProven):
            names = signed_element(root, holder, [KEYS.certificate]).iter(f"{ASSERTION}NameID")
            assert [name.text for name in names] == ["ada"]


async def test_a_signature_of_the_provider_on_something_else_is_worth_nothing() -> None:
    """Its metadata, say, which is signed with the same key and lies open."""
    metadata = etree.fromstring(f'<EntityDescriptor xmlns="urn:x" ID="_metadata"><a/>{ISSUER}</EntityDescriptor>')
    signature = take_signature(signed(metadata, KEYS))
    auth = saml()
    attempt, request_id = await begun(auth)
    root = response(request_id)
    within(root, f"{PROTOCOL}Extensions").append(metadata)
    assertion_of(root).insert(1, signature)
    assert "the signature in Assertion is not of that Assertion" in await refusal(auth, attempt, posted(root))

"""The person that an assertion is about: a name that stays, an e-mail, what they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ringforge_auth_saml.documents import EMAIL_ADDRESS, PERSISTENT, Element, NotProven, find_all, find_one, text_of

LONGEST = 1000
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\\\"\[\]()]{1,64}@[A-Za-z0-9.-]{1,189}")
"""Domains as they are on the wire: a letter that only looks like another one, or becomes it, makes no domain ours."""


class Subject(msgspec.Struct, frozen=True):
    name_id: str
    email: str | None
    name: str | None


def read_subject(assertion: Element, email_attributes: Sequence[str], name_attributes: Sequence[str]) -> Subject:
    """Raises `NotProven` for a name that is another one each time, or of a kind that says nothing about that."""
    name_id = find_one(assertion, "./saml:Subject/saml:NameID")
    kind, text = name_id.get("Format", ""), text_of(name_id)
    if kind not in (PERSISTENT, EMAIL_ADDRESS):
        shown = kind.rpartition(":")[2] or "unspecified"
        raise NotProven(f"the NameID is of the format {shown}; have the provider send persistent or emailAddress")
    if not 0 < len(text) <= LONGEST:
        raise NotProven("the NameID is empty, or too long")
    is_email = kind == EMAIL_ADDRESS
    email = _attribute(assertion, email_attributes) or (text if is_email else None)
    if email is not None and not _EMAIL.fullmatch(email):
        raise NotProven("the e-mail is none")
    return Subject(text.lower() if is_email else text, email, _attribute(assertion, name_attributes))


def domain_of(email: str) -> str | None:
    """In small letters; None for what is no e-mail."""
    return email.rpartition("@")[2].lower() if _EMAIL.fullmatch(email.strip()) else None


def _attribute(assertion: Element, names: Sequence[str]) -> str | None:
    """The first value of the first of these attributes that has one."""
    attributes = find_all(assertion, "./saml:AttributeStatement/saml:Attribute")
    for name in names:
        for attribute in (one for one in attributes if one.get("Name") == name):
            values = [text_of(value) for value in find_all(attribute, "./saml:AttributeValue")]
            if values and values[0]:
                return values[0][:LONGEST]
    return None

"""The rules for an assertion that is signed: by whom, for whom, in answer to what, and when (SAML profiles 4.1.4)."""

from __future__ import annotations

from datetime import datetime, timedelta

from lxml import etree

from ringforge_auth_saml.documents import Element, NotProven, find_all, find_one, instant_of, text_of

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
KNOWN_CONDITIONS = {"AudienceRestriction", "OneTimeUse", "ProxyRestriction"}
"""Each assertion is used once here anyway, and none is passed on."""


def check_assertion(
    assertion: Element, *, issuer: str, audience: str, recipient: str, request_id: str, at: datetime, skew: timedelta
) -> None:
    """Raises `NotProven`."""
    if assertion.get("Version") != "2.0":
        raise NotProven("the assertion is not of SAML 2.0")
    check_issuer(find_one(assertion, "./saml:Issuer"), issuer)
    _check_conditions(find_one(assertion, "./saml:Conditions"), audience, at, skew)
    _check_confirmed(assertion, recipient, request_id, at, skew)
    sessions = find_all(assertion, "./saml:AuthnStatement")
    if not sessions:
        raise NotProven("the assertion does not say that somebody signed in")
    for session in sessions:
        _check_time(session.get("SessionNotOnOrAfter"), at - skew, "the session at the provider")


def check_issuer(element: Element, issuer: str) -> None:
    if text_of(element) != issuer or element.get("Format", ENTITY) != ENTITY:
        raise NotProven(f"it was issued by {text_of(element)[:200]}, not by {issuer}")


def _check_conditions(conditions: Element, audience: str, at: datetime, skew: timedelta) -> None:
    _check_begin(conditions.get("NotBefore"), at + skew)
    _check_time(conditions.get("NotOnOrAfter"), at - skew, "the assertion")
    names = {etree.QName(condition).localname for condition in conditions.iterchildren("*")}
    if names - KNOWN_CONDITIONS:
        raise NotProven(f"the assertion has unknown conditions: {', '.join(sorted(names - KNOWN_CONDITIONS))}")
    restrictions = find_all(conditions, "./saml:AudienceRestriction")
    if not restrictions:
        raise NotProven("the assertion is for no audience")
    for restriction in restrictions:
        audiences = [text_of(one) for one in find_all(restriction, "./saml:Audience")]
        if audience not in audiences:
            raise NotProven(f"the assertion is for {', '.join(audiences)[:200] or 'nobody'}, not for {audience}")


def _check_confirmed(assertion: Element, recipient: str, request_id: str, at: datetime, skew: timedelta) -> None:
    """One confirmation is enough: that who brings the assertion is who it is about."""
    refusals = []
    for confirmation in find_all(assertion, "./saml:Subject/saml:SubjectConfirmation"):
        try:
            return _check_bearer(confirmation, recipient, request_id, at, skew)
        except NotProven as refusal:
            refusals.append(str(refusal))
    raise NotProven("; ".join(refusals[:3]) or "the assertion does not say who may bring it")


def _check_bearer(confirmation: Element, recipient: str, request_id: str, at: datetime, skew: timedelta) -> None:
    if confirmation.get("Method") != BEARER:
        raise NotProven("the assertion is not for a bearer")
    data = find_one(confirmation, "./saml:SubjectConfirmationData")
    if data.get("Recipient") != recipient:
        raise NotProven(f"the assertion is to be brought to {data.get('Recipient')}, not to {recipient}")
    if data.get("InResponseTo") != request_id:
        raise NotProven("the assertion is not an answer to this request")
    if data.get("NotOnOrAfter") is None:
        raise NotProven("the assertion does not say until when it may be brought")
    _check_time(data.get("NotOnOrAfter"), at - skew, "the assertion")
    _check_begin(data.get("NotBefore"), at + skew)


def _check_time(not_on_or_after: str | None, at: datetime, what: str) -> None:
    if not_on_or_after is not None and at >= instant_of(not_on_or_after):
        raise NotProven(f"{what} was valid until {not_on_or_after}; are the clocks right?")


def _check_begin(not_before: str | None, at: datetime) -> None:
    if not_before is not None and at < instant_of(not_before):
        raise NotProven(f"the assertion is valid from {not_before} on; are the clocks right?")

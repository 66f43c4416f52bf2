"""XML of strangers, read safely: no document types, so no entities, no files and no network; and bounded in size."""

from __future__ import annotations

from datetime import UTC, datetime

from lxml import etree

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
PREFIXES = {"samlp": PROTOCOL, "saml": ASSERTION, "md": METADATA, "ds": SIGNATURE}

REDIRECT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

Element = etree._Element


class NotProven(Exception):
    """The document proves nothing; says why, for the operator's log."""


def read_document(document: bytes, *, longest: int) -> Element:
    """The root element. Raises `NotProven`."""
    if len(document) > longest:
        raise NotProven(f"the document has more than {longest} bytes")
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        raise NotProven("the document is not UTF-8") from None
    if "<!DOCTYPE" in text:
        raise NotProven("the document has a document type, which could define entities")
    # The encoding is said here, so that a declaration of another one does not hide a document type from the line above.
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root: Element = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise NotProven(f"the document is no XML: {error}"[:200]) from None
    return root


def find_all(parent: Element, path: str) -> list[Element]:
    return list(parent.iterfind(path, PREFIXES))


def find_one(parent: Element, path: str) -> Element:
    """Raises `NotProven` unless there is exactly one."""
    found = find_all(parent, path)
    if len(found) != 1:
        raise NotProven(f"there are {len(found)} {path.rpartition('/')[2]} where there must be one")
    return found[0]


def text_of(element: Element) -> str:
    """The whole text of an element that holds nothing else: no part of it before a comment, or beside a child."""
    if len(element):
        raise NotProven(f"{etree.QName(element).localname} holds more than text")
    return (element.text or "").strip()


def instant_of(text: str) -> datetime:
    """A time of SAML, which is always in UTC. Raises `NotProven`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotProven(f'"{text[:40]}" is no time') from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

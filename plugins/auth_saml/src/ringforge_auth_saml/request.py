"""The question to a provider: an AuthnRequest by the binding HTTP-Redirect (SAML bindings 3.4)."""

from __future__ import annotations

import base64
import secrets
import zlib
from datetime import datetime
from urllib.parse import urlencode

from lxml import etree

from ringforge_auth_saml.documents import ASSERTION, POST_BINDING, PROTOCOL


def new_request_id() -> str:
    """160 random bits, as an XML ID, which begins with no digit."""
    return f"_{secrets.token_hex(20)}"


def request_url(sso_url: str, *, request_id: str, entity_id: str, callback_url: str, state: str, at: datetime) -> str:
    """Where the browser goes: the request is compressed into the query, beside the state."""
    request = etree.Element(f"{{{PROTOCOL}}}AuthnRequest", nsmap={"samlp": PROTOCOL, "saml": ASSERTION})
    request.set("ID", request_id)
    request.set("Version", "2.0")
    request.set("IssueInstant", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    request.set("Destination", sso_url)
    request.set("ProtocolBinding", POST_BINDING)
    request.set("AssertionConsumerServiceURL", callback_url)
    etree.SubElement(request, f"{{{ASSERTION}}}Issuer").text = entity_id
    etree.SubElement(request, f"{{{PROTOCOL}}}NameIDPolicy").set("AllowCreate", "true")
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = compressor.compress(etree.tostring(request)) + compressor.flush()
    query = urlencode({"SAMLRequest": base64.b64encode(deflated).decode(), "RelayState": state})
    return f"{sso_url}{'&' if '?' in sso_url else '?'}{query}"

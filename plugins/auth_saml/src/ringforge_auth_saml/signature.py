"""The element that a provider signed. Only what signxml hands back is read further, and never the document around it.

So it does not matter what else a document holds, or where an attacker moved things to (signature wrapping).
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.x509 import Certificate
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ringforge_auth_saml.documents import SIGNATURE, Element, NotProven, find_all, find_one

METHODS = frozenset({
    SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512, SignatureMethod.ECDSA_SHA256,
    SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512, SignatureMethod.SHA256_RSA_MGF1,
    SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1,
})  # fmt: skip
"""Signatures by a private key: no SHA-1, and none made with a secret that others know."""
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{SIGNATURE}enveloped-signature"


class BadSignature(NotProven):
    """No certificate that we know fits: perhaps the provider has a new one."""


def is_signed(element: Element) -> bool:
    return bool(find_all(element, "./ds:Signature"))


def signed_element(root: Element, holder: Element, certificates: Sequence[Certificate]) -> Element:
    """The `holder`, a child of `root` or itself, as its own signature covers it. Raises `NotProven`.

    The keys are those of `certificates`; what the signature says of its key is not looked at.
    """
    _check_shape(holder)
    location = "./" if holder is root else f"./{holder.tag}/"
    config = SignatureConfiguration(location=location, signature_methods=METHODS, digest_algorithms=DIGESTS)
    cause: Exception | None = None
    for certificate in certificates:
        try:
            result = XMLVerifier().verify(root, x509_cert=certificate, id_attribute="ID", expect_config=config)
        except Exception as error:  # noqa: BLE001 — whatever it stumbles over in a stranger's document: nothing is proven
            cause = error
            continue
        signed: Element | None = None if isinstance(result, list) else result.signed_xml
        if signed is None or signed.tag != holder.tag or signed.get("ID") != holder.get("ID"):
            raise NotProven("the signature covers something else than the element that holds it")
        return signed
    raise BadSignature(f"the signature is not by a known certificate: {cause}"[:300])


def _check_shape(holder: Element) -> None:
    """SAML's profile of signatures (core 5.4): of the element around it, in a form that has no comments."""
    name = etree.QName(holder).localname
    reference = find_one(holder, "./ds:Signature/ds:SignedInfo/ds:Reference")
    if not holder.get("ID") or reference.get("URI") != f"#{holder.get('ID')}":
        raise NotProven(f"the signature in {name} is not of that {name}")
    transforms = [transform.get("Algorithm") for transform in find_all(reference, "./ds:Transforms/ds:Transform")]
    form = find_one(holder, "./ds:Signature/ds:SignedInfo/ds:CanonicalizationMethod").get("Algorithm")
    if transforms != [ENVELOPED, EXCLUSIVE] or form != EXCLUSIVE:
        raise NotProven(f"the signature in {name} is made in another way than SAML's")

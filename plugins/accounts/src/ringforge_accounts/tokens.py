"""Secrets that are sent out once and recognised by their digest."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import unicodedata

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\\\"\[\]()]{1,64}@[^@\s\x00-\x1f\x7f<>,;:\\\"\[\]()]{1,189}")


def new_token() -> str:
    """256 random bits, for a cookie or a link."""
    return secrets.token_urlsafe(32)


def new_code(groups: int = 4) -> str:
    """`groups` of four letters and digits that are not mistaken for each other, 20 random bits each: `7kpq-…`."""
    text = base64.b32encode(secrets.token_bytes(groups * 5 // 2)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, groups * 4, 4))


def digest(secret: str) -> bytes:
    """What is stored of a token: it is random enough that no slow hash is needed."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def code_digest(code: str) -> bytes:
    """The digest of a code as people type it: without regard to case, spaces and hyphens."""
    return digest(re.sub(r"[\s-]", "", code).lower())


def email_key(email: str) -> str:
    """What two spellings of one e-mail have in common."""
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def is_email(text: str) -> bool:
    """Whether mail could be sent there; that it arrives, only a mail proves."""
    return _EMAIL.fullmatch(text.strip()) is not None and len(email_key(text)) <= 254

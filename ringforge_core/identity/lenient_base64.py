"""Base64 as clients really send it: either alphabet, with or without padding, `+` turned into a space by a query."""

from __future__ import annotations

import base64
import binascii

_STANDARD = str.maketrans(" -_", "++/", "=")


def decode_base64(text: str) -> bytes | None:
    """The bytes; None when it is not base64."""
    digits = text.translate(_STANDARD)
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None

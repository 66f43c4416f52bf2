"""Where the next page begins, as text that means nothing to the client."""

from __future__ import annotations

import base64
import binascii

from ringforge_core.errors import InvalidPayload

_PREFIX = b"seq:"


def encode_cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(b"%b%d" % (_PREFIX, seq)).decode()


def decode_cursor(cursor: str) -> int:
    """The `seq` after which the page begins; raises `InvalidPayload` for anything that `encode_cursor` did not make."""
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True)
        if not (text.startswith(_PREFIX) and text.removeprefix(_PREFIX).isdigit() and len(text) <= 24):
            raise ValueError(cursor)
        return int(text.removeprefix(_PREFIX))
    except (binascii.Error, ValueError) as error:
        raise InvalidPayload(
            "cursor is not one that a page came with.",
            reason="invalid_cursor",
            field="cursor",
            fix="Send the next_cursor of the page before, as it is.",
        ) from error

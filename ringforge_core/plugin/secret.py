"""What must not be shown: secrets in settings, and API keys and passwords in texts."""

from __future__ import annotations

import re

REDACTED = "[redacted]"

_API_KEY = re.compile(r"(rf_(?:live|test|admin)_[0-9A-Za-z]{4})[0-9A-Za-z]+")
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_URL_QUERY = re.compile(r"([?&](?:api_key|token|password|secret|challenge_response)=)(?!rf_)[^&\s\"']+")


class Secret:
    """A text that shows itself only to `reveal()`; its str, repr and format are redacted.

    As the type of a setting it is given in the TOML as `file:PATH`, `env:NAME` or as it is.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def redact(text: str) -> str:
    """The text with API keys cut to their first characters (`rf_live_ab12…`) and secrets in URLs taken out."""
    if "rf_" in text:
        text = _API_KEY.sub(r"\1…", text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{REDACTED}", text)
    if "=" in text:
        text = _URL_QUERY.sub(rf"\1{REDACTED}", text)
    return text

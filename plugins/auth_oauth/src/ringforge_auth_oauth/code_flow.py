"""The authorization code flow with PKCE (RFC 6749 4.1, RFC 7636): what the providers have in common.

PKCE ties the code to this attempt: a code that somebody caught, or slipped in from an attempt of theirs, buys no token.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlencode

import httpx2
import msgspec

from ringforge_core.errors import Unauthenticated, Unavailable
from ringforge_core.plugin import Secret
from ringforge_core.ports.auth import Answer

TIMEOUT_SECONDS = 10.0

Told = TypeVar("Told")


class Token(msgspec.Struct):
    """What a token endpoint answers; GitHub tells of errors with the status 200."""

    access_token: str = ""
    id_token: str = ""
    error: str = ""


class CodeFlow:
    """One application at one provider."""

    def __init__(self, label: str, client_id: str, client_secret: Secret) -> None:
        self.client_id = client_id
        self._label = label
        self._client_secret = client_secret
        self._http: httpx2.AsyncClient | None = None

    async def start(self) -> None:
        self._http = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, headers={"accept": "application/json"})

    async def stop(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    def authorization_url(self, endpoint: str, *, verifier: str, **parameters: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": self.client_id, "code_challenge": challenge,
            "code_challenge_method": "S256", **parameters,
        }  # fmt: skip
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def token(self, endpoint: str, answer: Answer) -> Token:
        """Buy a token for the answer's code. Raises `Unauthenticated` for a code that buys none."""
        code, verifier = answer.parameters.get("code"), answer.kept.get("verifier")
        if not code or not verifier:
            self.refuse(answer.parameters.get("error") or "no code")
        form = {
            "grant_type": "authorization_code", "code": code, "code_verifier": verifier,
            "redirect_uri": answer.callback_url, "client_id": self.client_id, "client_secret": self._client_secret.reveal(),
        }  # fmt: skip
        response = await self._send("POST", endpoint, data=form)
        if response.status_code >= 500:
            raise self._gone()
        token = self._decode(response, Token)
        if token.error or response.status_code != 200:
            self.refuse(token.error or f"status {response.status_code}")
        return token

    async def get(self, url: str, kind: type[Told], *, bearer: str = "") -> Told:
        """A JSON document of the provider."""
        response = await self._send("GET", url, headers={"authorization": f"Bearer {bearer}"} if bearer else {})
        if response.status_code != 200:
            raise self._gone()
        return self._decode(response, kind)

    def refuse(self, cause: str) -> NoReturn:
        declined = cause == "access_denied"
        message = f"You declined at {self._label}." if declined else f"{self._label} did not confirm who you are."
        raise Unauthenticated(message, reason="not_confirmed", fix="Begin again.", cause=cause[:100])

    def _gone(self) -> Unavailable:
        return Unavailable(f"{self._label} does not answer.", reason="provider_unavailable")

    async def _send(
        self, method: str, url: str, *, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        if self._http is None:
            raise self._gone()
        try:
            return await self._http.request(method, url, data=data, headers=headers)
        except httpx2.HTTPError as error:
            raise self._gone() from error

    def _decode(self, response: httpx2.Response, kind: type[Told]) -> Told:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise self._gone() from error


def new_verifier() -> str:
    """384 random bits, in 64 characters."""
    return secrets.token_urlsafe(48)


Claims = dict[str, Any]

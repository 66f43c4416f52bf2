"""What a client says to prove who it is: in the connect request, or in the payload of its join.

| given | mode |
|---|---|
| api_key and agent | registration |
| agent_id and api_key | reconnect |
| agent_id and challenge_response | challenge |
| api_key alone | key_only: the agent comes with the join |
| nothing | deferred: everything comes with the join |

This module only reads; whether the credentials are good is for `admission`. Every refusal is a `Refused`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from ringforge_core.errors import InvalidPayload, Unauthenticated
from ringforge_core.identity.claim import AgentClaim, agent_object, parse_agent
from ringforge_core.identity.lenient_base64 import decode_base64
from ringforge_core.identity.query import parse_query

Mode = Literal["registration", "reconnect", "challenge", "key_only", "deferred"]
Headers = Iterable[tuple[bytes, bytes]]
"""As ASGI has them: lower-case names, one pair per header line."""

SUBPROTOCOL_BEARER = "base64url.bearer.phx."


class Credentials(msgspec.Struct, frozen=True):
    """Credentials as given, unverified; `challenge_response` is the decoded signature."""

    api_key: str | None = None
    agent: AgentClaim | None = None
    agent_id: str | None = None
    challenge_response: bytes | None = None

    @property
    def mode(self) -> Mode:
        """How these credentials authenticate; raises `Unauthenticated` when they cannot."""
        if self.api_key is not None:
            if self.agent is not None:
                return "registration"
            return "reconnect" if self.agent_id is not None else "key_only"
        if self.agent_id is not None and self.challenge_response is not None:
            return "challenge"
        if self.agent_id is None and self.agent is None and self.challenge_response is None:
            return "deferred"
        raise Unauthenticated(
            "The agent is named but nothing proves it.",
            reason="missing_credentials",
            fix="Send `api_key` as well, or `agent_id` with `challenge_response`.",
        )

    def __repr__(self) -> str:
        given = [field for field in self.__struct_fields__ if getattr(self, field) is not None]
        return f"Credentials({', '.join(given)} given)"


NOTHING = Credentials()


def parse_connect(query_string: bytes, headers: Headers) -> Credentials:
    """Read a connect request; raises `InvalidPayload` or `Unauthenticated`, and nothing else, whatever the bytes."""
    query = parse_query(query_string)
    vsn = _text(query, "vsn")
    if vsn is not None and not _is_supported(vsn):
        raise InvalidPayload(
            "The serializer version is not supported.",
            reason="unsupported_vsn",
            fix="Connect with `vsn=2.0.0`, or without `vsn`.",
            field="vsn",
        )
    credentials = _credentials(query, api_key=_text(query, "api_key") or _bearer(headers))
    credentials.mode  # noqa: B018 — refuses what cannot authenticate before the upgrade
    return credentials


def parse_join_credentials(payload: Mapping[str, Any], *, connect: Credentials = NOTHING) -> Credentials | None:
    """Read the payload of a join; None when there are no credentials at all. Raises as `parse_connect` does.

    `connect` is what the connect request gave: its key counts when the join names none. A key without `agent` registers
    the agent that the presence fields describe, so that its name is found again on the next connect.
    """
    credentials = _credentials(payload, api_key=_text(payload, "api_key"))
    if credentials.api_key is None:
        credentials = msgspec.structs.replace(credentials, api_key=connect.api_key)
    if credentials == NOTHING:
        return None
    presence = payload.get("payload")
    if credentials.mode == "key_only" and isinstance(presence, dict):
        return msgspec.structs.replace(credentials, agent=parse_agent(presence))
    return credentials


def _credentials(given: Mapping[str, Any], *, api_key: str | None) -> Credentials:
    response = _text(given, "challenge_response")
    signature = None if response is None else decode_base64(response)
    if response is not None and signature is None:
        raise Unauthenticated(
            "`challenge_response` is not base64.",
            reason="invalid_challenge",
            fix="Send the 64 bytes of the signature as base64.",
        )
    agent = given.get("agent")
    return Credentials(
        api_key=api_key,
        agent=None if agent is None else parse_agent(agent_object(agent)),
        agent_id=_text(given, "agent_id"),
        challenge_response=signature,
    )


def _text(given: Mapping[str, Any], field: str) -> str | None:
    """The value; absent, null and empty are all None."""
    value = given.get(field)
    if value is not None and not isinstance(value, str):
        raise InvalidPayload(f"`{field}` is not a text.", field=field)
    return value or None


def _is_supported(vsn: str) -> bool:
    major_minor, _, patch = vsn.rpartition(".")
    return major_minor == "2.0" and patch.isascii() and patch.isdigit()


def _bearer(headers: Headers) -> str | None:
    """The API key in `Authorization`, else in the subprotocol by which phoenix.js sends its `authToken`."""
    offered = None
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer" and token.strip():
                return token.strip()
        elif name == b"sec-websocket-protocol":
            for protocol in value.decode("latin-1").split(","):
                if protocol.strip().startswith(SUBPROTOCOL_BEARER):
                    offered = _subprotocol_token(protocol.strip())
    return offered


def _subprotocol_token(protocol: str) -> str:
    token = decode_base64(protocol.removeprefix(SUBPROTOCOL_BEARER))
    if not token or not token.isascii():
        raise Unauthenticated("The bearer subprotocol does not hold an API key.")
    return token.decode()

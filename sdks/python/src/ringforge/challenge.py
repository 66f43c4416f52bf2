"""Asks the hub for bytes to sign: the first half of a connect without an API key."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from http.client import HTTPException
from ssl import SSLContext
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, OpenerDirector, Request, build_opener

import msgspec

from ringforge.errors import ConnectionLost, KeyPairRefused, RingforgeError, error_from

SECONDS = 10.0
LARGEST_REPLY = 65_536
REFUSALS = ("agent_not_found", "no_public_key")


class _Challenge(msgspec.Struct):
    challenge: str


async def ask_challenge(url: str, agent_id: str, *, tls: SSLContext | None) -> bytes:
    """The bytes to sign within 30 seconds.

    Raises `KeyPairRefused` when the hub knows no key of the agent, `RateLimited`, and `ConnectionLost` otherwise.
    """
    body = msgspec.json.encode({"agent_id": agent_id})
    request = Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 — from a ws:// address
    opener = build_opener(HTTPSHandler(context=tls))
    try:
        reply = await asyncio.to_thread(_read, opener, request)
        return base64.b64decode(msgspec.json.decode(reply, type=_Challenge).challenge, validate=True)
    except HTTPError as error:
        raise _refusal(error) from None
    except (OSError, HTTPException) as error:
        raise ConnectionLost("unreachable", f"No hub at the address: {error}.", "Is it running?") from error
    except ValueError as error:
        raise ConnectionLost("no_challenge", f"This is no challenge of a hub: {error}.") from error


def _read(opener: OpenerDirector, request: Request) -> bytes:
    with opener.open(request, timeout=SECONDS) as reply:
        data: bytes = reply.read(LARGEST_REPLY)
        return data


def _refusal(error: HTTPError) -> RingforgeError:
    told = _told(error)
    if error.code == 429:
        return error_from({**told, "reason": "rate_limited"})
    if told.get("error") in REFUSALS:
        return KeyPairRefused(str(told["error"]), str(told.get("message", "")), str(told.get("fix", "")))
    return ConnectionLost("refused", f"The hub answered with HTTP {error.code}.")


def _told(error: HTTPError) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(error.read(LARGEST_REPLY), type=dict[str, Any])
    except (msgspec.DecodeError, OSError, HTTPException):
        return {}

"""What a client says about its agent, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from ringforge_core.errors import InvalidPayload
from ringforge_core.identity.lenient_base64 import decode_base64

TEXT = r"^[^\x00-\x1f\x7f\ud800-\udfff]*$"
"""No control characters (PostgreSQL stores no NUL) and no halves of surrogate pairs."""
ShortText = Annotated[str, msgspec.Meta(max_length=100, pattern=TEXT)]

PUBLIC_KEY_BYTES = 32


class AgentClaim(msgspec.Struct, frozen=True):
    """What a client says about its agent. None means not said: an existing agent keeps what is stored.

    `public_key` is an Ed25519 key, 32 bytes.
    """

    name: ShortText | None = None
    framework: ShortText | None = None
    capabilities: Annotated[tuple[ShortText, ...], msgspec.Meta(max_length=64)] | None = None
    public_key: bytes | None = None


def agent_object(agent: Any) -> dict[str, Any]:
    """The object itself, or the one in the JSON text of a query. Raises `InvalidPayload`."""
    if isinstance(agent, str):
        try:
            agent = msgspec.json.decode(agent)
        except (msgspec.DecodeError, RecursionError):
            agent = None
    if not isinstance(agent, dict):
        raise _invalid_agent("`agent` is not an object.")
    return agent


def parse_agent(fields: Mapping[str, Any]) -> AgentClaim:
    """Check what is said about an agent; other fields are ignored. Raises `InvalidPayload`."""
    capabilities, public_key = fields.get("capabilities"), fields.get("public_key")
    claim = {
        "name": fields.get("name") or None,
        "framework": fields.get("framework") or None,
        "capabilities": _indexed(capabilities) if isinstance(capabilities, dict) else capabilities,
        "public_key": None if public_key in (None, "") else parse_public_key(public_key),
    }
    try:
        return msgspec.convert(claim, AgentClaim)
    except msgspec.ValidationError as error:
        raise _invalid_agent(f"The agent is not valid: {error}.") from None


def parse_model(model: Any) -> str | None:
    """Check the model that an agent says it runs on. Raises `InvalidPayload`."""
    try:
        return msgspec.convert(model or None, ShortText | None)
    except msgspec.ValidationError as error:
        raise InvalidPayload(f"The model is not valid: {error}.", field="model") from None


def _indexed(items: dict[str, Any]) -> list[Any]:
    """phoenix.js writes a list as a map of its indexes."""
    try:
        return [items[str(index)] for index in range(len(items))]
    except KeyError:
        raise _invalid_agent("`capabilities` is a map, but not one of the indexes 0, 1, 2 …") from None


def parse_public_key(text: Any) -> bytes:
    """The 32 bytes of an Ed25519 key. Raises `InvalidPayload` (`invalid_public_key`)."""
    key = decode_base64(text) if isinstance(text, str) else None
    if key is None or len(key) != PUBLIC_KEY_BYTES:
        raise InvalidPayload(
            "The public key is not 32 bytes in base64.",
            reason="invalid_public_key",
            fix="Send the raw Ed25519 public key, without PEM or DER around it.",
            field="public_key",
        )
    return key


def _invalid_agent(message: str) -> InvalidPayload:
    return InvalidPayload(
        message,
        reason="invalid_agent",
        fix="Send an object with `name`, `framework` (at most 100 characters each) and `capabilities` (at most 64 texts).",
        field="agent",
    )

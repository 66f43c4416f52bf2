"""`POST /api/auth/challenge`: the first step of a connect without an API key; source: wire protocol 2.6."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from msgspec import Meta

from ringforge_core.errors import InvalidPayload, Refused
from ringforge_core.http.addresses import ClientAddress
from ringforge_core.http.admin.refusals import ApiError
from ringforge_core.http.admin.texts import LINE
from ringforge_core.identity.challenges import TTL, issue_challenge
from ringforge_core.ports.store import Store

CheckRate = Callable[[str | None, str], None]
"""Called with the client's address and the agent's id before the store is asked; raises `LimitReached`."""


class ChallengeRequest(msgspec.Struct):
    agent_id: Annotated[str, Meta(max_length=100, pattern=LINE, examples=["ag_7dK2mP9qX4aB"])] | None = None


class Challenge(msgspec.Struct):
    """Sign the decoded bytes as they are; connect with `agent_id` and the signature in base64 as `challenge_response`."""

    challenge: Annotated[str, Meta(description="32 random bytes in base64.")]
    expires_in: Annotated[int, Meta(description="Seconds.")]


_REFUSALS = {
    400: ResponseSpec(ApiError, description="`missing_agent_id`, `validation_failed`", generate_examples=False),
    404: ResponseSpec(ApiError, description="`agent_not_found`", generate_examples=False),
    422: ResponseSpec(ApiError, description="`no_public_key`", generate_examples=False),
    429: ResponseSpec(ApiError, description="`rate_limited`", generate_examples=False),
    503: ResponseSpec(ApiError, description="`unavailable`", generate_examples=False),
}


def challenge_handler(store: Store, client_address: ClientAddress, check_rate: CheckRate) -> HTTPRouteHandler:
    @post(
        "/api/auth/challenge",
        status_code=200,
        tags=["Hub"],
        summary="Begin a connect without a key",
        response_description="What to sign",
        responses=_REFUSALS,
        security=[],
    )
    async def challenge(
        request: Request[Any, Any, Any], data: JSONBody[ChallengeRequest]
    ) -> Challenge | Response[ApiError]:
        """Ask for bytes to sign, as an agent that has registered an Ed25519 public key. They can be used once."""
        if not data.agent_id:
            raise InvalidPayload("agent_id is required.", reason="missing_agent_id", field="agent_id", fix="Send agent_id.")
        address = client_address(request.scope)
        check_rate(address, data.agent_id)
        try:
            nonce = await issue_challenge(store, data.agent_id, address=address)
        except Refused as error:
            if error.reason != "no_public_key":
                raise
            return Response(ApiError(error.reason, error.message, error.fix), status_code=422, media_type=MediaType.JSON)
        return Challenge(base64.b64encode(nonce).decode(), int(TTL.total_seconds()))

    return challenge

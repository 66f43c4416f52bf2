"""`GET /api/connect/check`: tells a newcomer whether an API key works, and what to do if not. Always 200."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from ringforge_core.errors import Refused
from ringforge_core.http.addresses import ClientAddress
from ringforge_core.http.bearer import bearer_token
from ringforge_core.http.handshake import PATH
from ringforge_core.identity import Admission, describe_key
from ringforge_core.limits.sign_in import SignInGuard

_FORM = re.compile(r"rf_(live|test|admin)_[0-9A-Za-z]{32}")
Key = Annotated[str | None, QueryParameter(description="Queries end in logs: better send it as a bearer token.")]
_HINT = "Connect the WebSocket, then send phx_join to fleet:lobby."


class Named(msgspec.Struct):
    id: str
    name: str


class TenantSummary(msgspec.Struct):
    id: str
    name: str
    plan: str


class SocketAddress(msgspec.Struct):
    url: str
    vsn: str
    channel: str


class ConnectCheck(msgspec.Struct, omit_defaults=True):
    """`ok` with tenant, fleet and address; or `error`, `message` and `fix`."""

    ok: bool
    message: str
    tenant: TenantSummary | None = None
    fleet: Named | None = None
    websocket: SocketAddress | None = None
    hint: str = ""
    error: str = ""
    fix: str = ""


def connect_check_handler(
    admission: Admission, public_url: str | None, client_address: ClientAddress, sign_in: SignInGuard
) -> HTTPRouteHandler:
    @get("/api/connect/check", tags=["Hub"], summary="Check a key", response_description="Whether it works, and why not")
    async def connect_check(request: Request[Any, Any, Any], api_key: Key = None, key: Key = None) -> ConnectCheck:
        """An agent's key, given as a bearer token or, where headers cannot be set, in the query. The answer is always 200;
        `ok` says whether the key works."""
        sign_in.check_key_check(client_address(request.scope))
        given = bearer_token(request.headers) or api_key or key
        if not given:
            return ConnectCheck(
                False, "No API key was given.", error="missing_api_key",
                fix="Send it as `Authorization: Bearer rf_live_…`.",
            )  # fmt: skip
        if not _FORM.fullmatch(given):
            return ConnectCheck(
                False, "This is not an API key.", error="invalid_key_format",
                fix="A key is rf_live_, rf_test_ or rf_admin_ and 32 letters and digits; copy all of it.",
            )  # fmt: skip
        try:
            holder = await admission.check_key(given)
            described = await describe_key(admission.store, holder)
        except Refused as error:
            return ConnectCheck(False, error.message, error=_code(error.reason), fix=error.fix)
        base = public_url or str(request.base_url)
        url = base.rstrip("/").replace("http", "ws", 1) + PATH
        return ConnectCheck(
            True, "The key works.",
            tenant=TenantSummary(described.tenant_id, described.tenant_name, described.plan),
            fleet=Named(described.fleet_id, described.fleet_name),
            websocket=SocketAddress(url, "2.0.0", "fleet:lobby"), hint=_HINT,
        )  # fmt: skip

    return connect_check


def _code(reason: str) -> str:
    return reason if reason == "wrong_key_type" else "auth_failed"

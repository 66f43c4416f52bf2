"""`GET /api/connect/check`: tells a newcomer whether an API key works, and what to do if not. Always 200."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler

from ringforge_core.errors import Refused
from ringforge_core.http.bearer import bearer_token
from ringforge_core.http.handshake import PATH
from ringforge_core.identity import Admission, describe_key

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


def connect_check_handler(admission: Admission, public_url: str | None) -> HTTPRouteHandler:
    @get("/api/connect/check")
    async def connect_check(request: Request[Any, Any, Any]) -> ConnectCheck:
        """Check a key given as a bearer token (or, where headers cannot be set, as `api_key` in the query)."""
        key = _key_of(request)
        if not key:
            return ConnectCheck(
                False, "No API key was given.", error="missing_api_key",
                fix="Send it as `Authorization: Bearer rf_live_…`.",
            )  # fmt: skip
        try:
            holder = await admission.check_key(key)
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


def _key_of(request: Request[Any, Any, Any]) -> str | None:
    return bearer_token(request.headers) or request.query_params.get("api_key") or request.query_params.get("key")


def _code(reason: str) -> str:
    return reason if reason in ("wrong_key_type", "invalid_key_format") else "auth_failed"

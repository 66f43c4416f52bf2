"""`GET /metrics` in Prometheus' text format, for the operator: never with a tenant's key."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from ringforge_core.errors import Unauthenticated
from ringforge_core.http.bearer import bearer_token
from ringforge_core.plugin.secret import Secret


def metrics_handler(registry: CollectorRegistry, operator_token: Secret | None) -> HTTPRouteHandler:
    @get("/metrics", sync_to_thread=False, include_in_schema=False)
    def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        _check(request, operator_token)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics


def _check(request: Request[Any, Any, Any], operator_token: Secret | None) -> None:
    if operator_token is None:
        # Behind a proxy every client looks local, so a forwarded request is not this machine's.
        if _is_loopback(request) and "x-forwarded-for" not in request.headers:
            return
    else:
        token = bearer_token(request.headers) or ""
        if hmac.compare_digest(token.encode(), operator_token.reveal().encode()):
            return
    raise Unauthenticated(
        "The operator's token is needed.", reason="missing_authorization",
        fix="Set [hub] operator_token and send it as `Authorization: Bearer …`.",
    )  # fmt: skip


def _is_loopback(request: Request[Any, Any, Any]) -> bool:
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback

"""Who gets in: checked on every route of the router, before its body is read."""

from __future__ import annotations

import difflib
import re
from typing import Any

import structlog
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.types import Guard

from ringforge_core.errors import Forbidden, InvalidPayload, NotFound, Unauthenticated
from ringforge_core.http.addresses import ClientAddress
from ringforge_core.http.bearer import bearer_token
from ringforge_core.identity.administrators import find_administrator
from ringforge_core.limits import Limits
from ringforge_core.ports.store import Store

_ID = re.compile(r"[!-~]{1,100}")

log = structlog.get_logger(__name__)

Connection = ASGIConnection[Any, Any, Any, Any]


def only_administrators(store: Store, client_address: ClientAddress, limits: Limits) -> Guard:
    """A guard that finds the administrator by the key in the header, and leaves them in the connection's state.

    Who failed too often is refused before the key is looked up.
    """

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        address = client_address(connection.scope)
        key = bearer_token(connection.headers)
        if key is None:
            raise Unauthenticated(
                "No API key was given.", reason="missing_authorization", fix="Send `Authorization: Bearer rf_admin_…`."
            )
        limits.sign_in.check(address, key)
        try:
            administrator = await find_administrator(store, key, address=address)
        except (Unauthenticated, Forbidden) as error:
            limits.sign_in.failed(address)
            log.warning("auth.failed", address=address, method="http", reason=error.reason)
            raise
        limits.sign_in.remember(key)
        plan = limits.settings.plan(administrator.plan)
        limits.sign_in.check_request(administrator.key_id, plan)
        connection.state.administrator = administrator

    return guard


def only_possible_ids(connection: Connection, _: BaseRouteHandler) -> None:
    """Ids are opaque, yet none has spaces, controls or more than 100 characters: what has is not found."""
    for value in connection.path_params.values():
        if not _ID.fullmatch(str(value)):
            raise NotFound("There is nothing with this id.")


def only_known_parameters(connection: Connection, handler: BaseRouteHandler) -> None:
    """A parameter that is misspelt would be left out in silence, and the answer be another one than was asked for."""
    parameters = handler.parsed_fn_signature.parameters.items()
    known = [name for name, field in parameters if isinstance(field.kwarg_definition, QueryParameter)]
    for name in connection.query_params:
        if name not in known:
            raise InvalidPayload(f"There is no parameter {name[:100]!r} here.", field=name[:100], fix=_advice(name, known))


def _advice(name: str, known: list[str]) -> str:
    if near := difflib.get_close_matches(name[:100], known, n=1):
        return f"Did you mean {near[0]!r}?"
    return f"Use one of: {', '.join(known)}." if known else "Leave it out: this route takes none."

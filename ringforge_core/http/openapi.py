"""What the OpenAPI document says of the whole API."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

PATH = "/api/schema"
DOCUMENT = f"{PATH}/openapi.json"
ADMIN_KEY = "admin_key"

_DESCRIPTION = """\
Administration of one tenant of a Ringforge hub. Agents do not use it: they speak over the WebSocket, which the AsyncAPI
document describes (`ringforge asyncapi`).

Send an admin key (`ringforge keys create --kind admin`) as `Authorization: Bearer rf_admin_…`. Every id that is not the
tenant's own is answered with 404. Errors have one shape: `error` for programs, `message` and `fix` for people.
"""


def openapi_config(version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        "Ringforge",
        version,
        description=_DESCRIPTION,
        license=License("Apache-2.0", identifier="Apache-2.0"),
        path=PATH,
        render_plugins=[JsonRenderPlugin()],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                ADMIN_KEY: SecurityScheme(type="http", scheme="bearer", description="An admin key: `rf_admin_…`")
            }
        ),
        servers=[],
        operation_id_creator=operation_id,
        tags=[
            Tag("Tenant", "The tenant that the key belongs to."),
            Tag("API keys", "What lets agents and administrators in."),
            Tag("Fleets", "Agents of one fleet see each other, and nobody else."),
            Tag("Agents", "Who works in the fleets."),
            Tag("Squads", "Agents of one fleet that work on one thing."),
            Tag("Audit", "Who did what, when, from where."),
            Tag("Hub", "Is it there, and does a key work."),
        ],
    )


def operation_id(handler: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]) -> str:
    """What generated clients call an operation: `keys_create`, `fleets_agents_move`, `agents_change_put`."""
    places = [place.replace("-", "_") for place in path if isinstance(place, str) and place not in ("api", "v1")]
    name = handler.handler_name
    several = [method.lower()] if len(handler.http_methods) > 1 else []
    return "_".join([*places, *([] if "_".join(places).endswith(name) else [name]), *several])

"""The AsyncAPI 3 document of the socket, derived from the declared events and pushes.

Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0. A message's payload is the fifth item of the frame
`[join_ref, ref, topic, event, payload]`; the event is the message's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ringforge_core.plugin.capability import Capability, EventDeclaration
from ringforge_core.plugin.messages import Push, Reply
from ringforge_core.socket.joining import Joined
from ringforge_core.socket.system import SYSTEM_PUSHES

CHANNEL = "fleet"
_CHANNEL_REF = {"$ref": f"#/channels/{CHANNEL}"}

_DESCRIPTION = """\
One WebSocket at /ws/websocket speaks Phoenix Channels V2: every text message is the JSON array
`[join_ref, ref, topic, event, payload]`. Join `fleet:lobby` with `phx_join`, answer nothing for 60 seconds and the hub
closes; send `heartbeat` on the topic `phoenix` every 30 seconds. A request is answered by `phx_reply` with the same ref.
The payload of a request may be given flat or as `{"payload": {…}}`."""

_ERROR_SCHEMA = {
    "type": "object",
    "description": "Why a request was refused. `reason` is for programs, `message` and `fix` are for people.",
    "required": ["status", "response"],
    "properties": {
        "status": {"const": "error"},
        "response": {
            "type": "object",
            "required": ["reason", "message", "fix"],
            "properties": {name: {"type": "string"} for name in ("reason", "message", "fix")},
            "additionalProperties": True,
        },
    },
}


class Schemas:
    """The JSON Schemas of all messages; two of one name get longer ones, so a type is looked up, not its name."""

    def __init__(self, types: Sequence[type[Any]]) -> None:
        refs, self.components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
        self._refs = dict(zip(types, refs, strict=True))

    def ref(self, type_: type[Any]) -> dict[str, Any]:
        return self._refs[type_]


def document(capabilities: Iterable[type[Capability[Any]]], *, version: str, url: str | None = None) -> dict[str, Any]:
    """The document as JSON-encodable objects, for the capabilities given in this order."""
    capabilities = list(capabilities)
    declarations = [declaration for capability in capabilities for declaration in capability.declarations()]
    pushes = [*SYSTEM_PUSHES, *(push for capability in capabilities for push in capability.pushes)]
    schemas = Schemas(_types(declarations, pushes))
    messages = {"error": {"name": "phx_reply", "title": "refused", "payload": _ERROR_SCHEMA}}
    messages |= {"joined": _message("phx_reply", "joined", _ok(schemas.ref(Joined)))}
    operations: dict[str, Any] = {}
    for declaration in declarations:
        messages |= _event_messages(declaration, schemas)
        operations[_key(declaration.name)] = _operation(declaration)
    for push in pushes:
        key = f"{_key(push.wire)}_push"
        messages[key] = _message(push.wire, push.wire, _enveloped(push, schemas), push.__doc__)
        operations[key] = {"action": "send", "channel": _CHANNEL_REF, "messages": [_message_ref(key)]}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Ringforge", "version": version, "description": _DESCRIPTION, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        **({"servers": {"hub": _server(url)}} if url else {}),
        "channels": {
            CHANNEL: {
                "address": "fleet:{fleet}",
                "title": "A fleet",
                "description": "`fleet:lobby` is the fleet of the API key; `fleet:<id>` names it.",
                "parameters": {"fleet": {"description": "`lobby` or the fleet's id.", "default": "lobby"}},
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
            }
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas.components},
    }


def _event_messages(declaration: EventDeclaration, schemas: Schemas) -> dict[str, Any]:
    key = _key(declaration.name)
    properties: dict[str, Any] = {"payload": schemas.ref(declaration.request)}
    if declaration.idempotent:
        properties["_idempotency_key"] = {
            "type": "string", "minLength": 1, "maxLength": 200,
            "description": "The same key with the same payload is done once and answered the same.",
        }  # fmt: skip
    request = {"type": "object", "properties": properties, "required": ["payload"]}
    messages = {key: _message(declaration.name, declaration.name, request, declaration.summary)}
    if declaration.reply is not None:
        messages[f"{key}_reply"] = _message(
            "phx_reply", f"{declaration.name} reply", _ok(_enveloped(declaration.reply, schemas))
        )
    return messages


def _operation(declaration: EventDeclaration) -> dict[str, Any]:
    key = _key(declaration.name)
    operation: dict[str, Any] = {
        "action": "receive",
        "channel": _CHANNEL_REF,
        "summary": declaration.summary,
        "messages": [_message_ref(key)],
    }
    if declaration.reply is not None:
        answers = [_message_ref(f"{key}_reply"), _message_ref("error")]
        operation["reply"] = {"channel": _CHANNEL_REF, "messages": answers}
    notes = {"x-counts": declaration.counts, "x-rate": declaration.rate, "x-idempotent": declaration.idempotent or None}
    return operation | {name: value for name, value in notes.items() if value is not None}


def _message(name: str, title: str, payload: dict[str, Any], summary: str | None = None) -> dict[str, Any]:
    message: dict[str, Any] = {"name": name, "title": title, "payload": payload}
    if summary:
        message["summary"] = " ".join(summary.split())
    return message


def _enveloped(message: type[Reply] | type[Push], schemas: Schemas) -> dict[str, Any]:
    """The schema of a reply's or push's object, with its envelope where it has one."""
    if message.wire is None:
        return schemas.ref(message)
    family, _, event = message.wire.partition(":")
    return {
        "type": "object",
        "required": ["type", "event", "payload"],
        "properties": {
            "type": {"const": family},
            "event": {"const": event},
            "payload": schemas.ref(message),
            "epoch": {"type": "string", "description": "With seq: the place in the fleet's log, on logged events."},
            "seq": {"type": "integer"},
        },
    }


def _ok(response: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status", "response"],
        "properties": {"status": {"const": "ok"}, "response": response},
    }


def _types(declarations: Sequence[EventDeclaration], pushes: Sequence[type[Push]]) -> list[type[Any]]:
    replies = [declaration.reply for declaration in declarations if declaration.reply is not None]
    return [Joined, *(declaration.request for declaration in declarations), *replies, *pushes]


def _server(url: str) -> dict[str, Any]:
    scheme, _, host = url.partition("://")
    return {"host": host, "protocol": "wss" if scheme in ("https", "wss") else "ws", "pathname": "/ws/websocket"}


def _message_ref(key: str) -> dict[str, Any]:
    return {"$ref": f"#/channels/{CHANNEL}/messages/{key}"}


def _key(event: str) -> str:
    return event.replace(":", "_")

"""Templates and static files. They are read when they are first asked for: a hub starts without them."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from markupsafe import Markup

from ringforge_core.plugin.administration import Told
from ringforge_core.ports.event_bus import Event

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = "ringforge_dashboard"
MEDIA_TYPES = {"dashboard.css": "text/css", "live.js": "text/javascript"}


@cache
def static_file(name: str) -> bytes:
    return files(PACKAGE).joinpath("static", name).read_bytes()


@cache
def static_url(name: str) -> str:
    """The file's address, which changes when the file does."""
    return f"/dashboard/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"


@cache
def environment(package: str = PACKAGE) -> Environment:
    """The templates of a package, which may use those of the dashboard."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(package)] if package == PACKAGE else [PackageLoader(package), PackageLoader(PACKAGE)]
    made = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["moment"] = moment
    made.filters["count"] = count
    made.filters["amount"] = amount
    made.filters["pretty_json"] = pretty_json
    made.globals["static_url"] = static_url
    made.globals["form_key"] = form_key
    return made


def render(template: str, *, package: str = PACKAGE, **data: Any) -> str:
    return environment(package).get_template(template).render(**data)


def form_key() -> str:
    """Drawn for each form that is shown: the copies of what it sends are told by it."""
    return secrets.token_urlsafe(24)


def moment(at: datetime | str | None) -> Markup:
    """An instant as a `time` element, in UTC until a script knows better."""
    if at is None:
        return Markup("never")
    instant = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)
    machine = instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Markup('<time datetime="{}">{}</time>').format(machine, instant.strftime("%Y-%m-%d %H:%M:%S UTC"))


class _Envelope(msgspec.Struct):
    payload: dict[str, Any]


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def payload_of(happening: Event | Told) -> dict[str, Any]:
    """What an event or a push carries inside its envelope."""
    return _decode_envelope(happening.body).payload


def count(number: int | str) -> str:
    """A whole number with its thousands apart."""
    return number if isinstance(number, str) else f"{number:,}"


def amount(number: int | str, resource: str) -> str:
    """A quota's number, in the unit that people read."""
    if isinstance(number, str) or resource != "storage_bytes":
        return count(number)
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if size == int(size) else f"{size:,.1f} {unit}"


def pretty_json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()

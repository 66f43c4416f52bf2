"""Templates and the script, from this package: read when they are first asked for, so that a hub starts without."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ringforge_core.plugin.web import PagePart

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPT = "passkeys.js"


@cache
def script() -> bytes:
    return files("ringforge_auth_passkeys").joinpath("static", SCRIPT).read_bytes()


@cache
def script_url() -> str:
    """Its address changes when it does."""
    return f"/passkeys/static/{SCRIPT}?v={hashlib.sha256(script()).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ringforge_auth_passkeys"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["moment"] = _moment
    return environment


def part(template: str, *, scripted: bool = False, **data: Any) -> PagePart:
    html = _environment().get_template(template).render(**data)
    return PagePart(html=html, script=script_url() if scripted else None)


def _moment(at: datetime) -> Markup:
    """An instant, in UTC until a script of the page knows better."""
    utc = at.astimezone(UTC)
    machine, shown = utc.strftime("%Y-%m-%dT%H:%M:%SZ"), utc.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}">{}</time>').format(machine, shown)

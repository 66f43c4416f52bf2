"""Templates and the style sheet, from this package: read when they are first asked for, so that a hub starts without."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ringforge_core.plugin.web import PagePart

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = "ringforge_accounts"
STYLE = "accounts.css"


@cache
def style() -> tuple[bytes, str]:
    """The style sheet, and the digest by which its address changes when it does."""
    content = files(PACKAGE).joinpath("static", STYLE).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


@cache
def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    alone = PackageLoader(PACKAGE, "alone")  # what a shell has as well: the pages for one find that of the dashboard
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(PACKAGE), alone]), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["moment"] = _moment
    environment.globals["style_version"] = style()[1]
    environment.globals["html_of"] = html_of
    environment.globals["scripts_of"] = scripts_of
    return environment


def html_of(parts: Sequence[PagePart]) -> Markup:
    return Markup("").join(Markup(part.html) for part in parts)  # noqa: S704 — safe as it is, see PagePart


def scripts_of(parts: Sequence[PagePart]) -> Markup:
    tag = Markup('<script type="module" src="{}"></script>')
    return Markup("\n").join(tag.format(part.script) for part in parts if part.script is not None)


def render(template: str, **data: Any) -> str:
    return _environment().get_template(template).render(**data)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

"""How an agent connects, in four languages: what the wizard shows, and docs/connecting.md with it.

The programs lie in `programs/` as they are run. Put in are the hub's address and the agent's name and capabilities, as
literals that Python, TypeScript and Elixir read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from ringforge_dashboard.rendering import PACKAGE

if TYPE_CHECKING:
    from jinja2 import Environment


class Snippet(msgspec.Struct, frozen=True):
    """`file` is what to save the code as; without one, the code is itself what is typed into a shell."""

    language: str
    code: str
    install: str = ""
    file: str = ""
    run: str = ""
    hint: str = ""


def snippets(http_url: str, name: str, capabilities: Sequence[str]) -> list[Snippet]:
    """For a hub at this address, `http` or `https`. The key is read from the variable RINGFORGE_API_KEY."""

    def code(file: str) -> str:
        url = http_url.replace("http", "ws", 1)
        given: dict[str, Any] = {"url": url, "http_url": http_url, "name": name, "capabilities": list(capabilities)}
        return _environment().get_template(f"{file}.jinja").render(given)

    return [
        Snippet("Python", code("agent.py"), "pip install ringforge", "agent.py", "python agent.py"),
        Snippet("TypeScript", code("agent.ts"), "npm install phoenix ws tsx", "agent.ts", "npx tsx agent.ts"),
        Snippet(
            "Elixir", code("agent.exs"), file="agent.exs", run="elixir agent.exs",
            hint="Elixir 1.14 or newer. The first start fetches what it needs.",
        ),
        Snippet(
            "curl", code("check.sh"),
            hint="Whether the key works, and where the hub is. An agent needs a WebSocket, which curl does not keep; "
            "in a shell, “ringforge agent” is one.",
        ),
    ]  # fmt: skip


@cache
def _environment() -> Environment:
    """Without HTML's escapes: the programs are shown escaped, as values."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(  # noqa: S701 — as said
        loader=PackageLoader(PACKAGE, "programs"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    made.filters["literal"] = literal
    return made


def literal(value: Any) -> str:
    """JSON that is also a literal of Python, JavaScript and Elixir, where `#{` in a text would be code."""
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode().replace("#{", "\\u0023{")

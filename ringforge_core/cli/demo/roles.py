"""Who is in the demo's fleet and what they say: a ring in which each begins when the one before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ringforge import Kind


class Role(msgspec.Struct, frozen=True):
    """One agent. `after` is whom it waits for; `steps` are told one after another about the feature at hand."""

    name: str
    after: str
    framework: str
    busy_with: str
    steps: tuple[tuple[Kind, str], ...]


FEATURES = ("dark mode", "CSV export", "full-text search", "single sign-on")

ROLES = (
    Role(
        "planner", "writer", "langgraph", "planning {}",
        (
            ("task_started", "Next: {}. Small and behind a flag."),
            ("task_completed", "{} is cut into two steps, over to the builder."),
        ),
    ),
    Role(
        "builder", "planner", "autogen", "building {}",
        (
            ("task_started", "On it: {}."),
            ("task_progress", "{}: half of it stands, 212 lines."),
            ("task_completed", "{} is built, tests please."),
        ),
    ),
    Role(
        "tester", "builder", "crewai", "testing {}",
        (("discovery", "{} fails on an empty list; I wrote the fix."), ("task_completed", "{}: 48 of 48 tests pass.")),
    ),
    Role(
        "writer", "tester", "plain Python", "documenting {}",
        (("question", "{}: does it need a page of its own?"), ("task_completed", "{} is documented and shipped.")),
    ),
)  # fmt: skip

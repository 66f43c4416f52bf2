"""Every event that changes something takes an idempotency key: a new one that does not fails here."""

from __future__ import annotations

from pathlib import Path

from ringforge_core.testkit.hub import running_hub

CHANGES_NOTHING = {
    "activity:history", "agent:get_profile", "agent:list_profiles", "direct:history", "fleet:list", "group:list",
    "group:members", "group:my_groups", "memory:get", "memory:history", "memory:list", "memory:query", "message:history",
    "message:queued", "presence:roster", "replay:request",
}  # fmt: skip
KEPT_NOWHERE = {"presence:update", "message:typing"}
"""What they say holds at that moment; said again, it is the same."""


async def test_every_event_that_changes_something_takes_an_idempotency_key(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        declared = [declaration for part in hub.hub.capabilities for declaration in part.declarations()]
        assert len(declared) > 30
        without = {declaration.name for declaration in declared if not declaration.idempotent}
        assert without - CHANGES_NOTHING - KEPT_NOWHERE == set()

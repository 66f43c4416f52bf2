"""Changes whose repeat under one idempotency key gives the first result again, as the type that it was."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ringforge_core.ports.store import Command, Once, Store, Write

Result = TypeVar("Result")


async def apply_once(
    store: Store, write: Write[Command, Result], command: Command, result: type[Result], *, once: Once | None
) -> Result:
    """`Store.apply`, with the kept result of a repeat decoded."""
    done = await store.apply(write, command, once=once)
    return msgspec.json.decode(done, type=result) if isinstance(done, msgspec.Raw) else done

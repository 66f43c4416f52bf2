"""What a person says about themselves: their name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ringforge_accounts.audit import deed
from ringforge_accounts.tables import users
from ringforge_core.errors import InvalidPayload
from ringforge_core.plugin import now
from ringforge_core.plugin.web import SignedIn
from ringforge_core.ports.store import Store, Transaction

LONGEST_NAME = 80


class Rename(msgspec.Struct, frozen=True):
    user_id: str
    tenant_id: str
    name: str | None
    address: str | None
    at: datetime


async def change_name(store: Store, person: SignedIn, name: str, *, address: str | None) -> None:
    """Without a name people are shown by their e-mail. Raises `InvalidPayload`."""
    chosen = " ".join(name.split())
    if len(chosen) > LONGEST_NAME or not chosen.isprintable():
        raise InvalidPayload(f"A name has at most {LONGEST_NAME} characters that can be seen.", field="name", fix="")
    await store.apply(_rename_all, Rename(person.user_id, person.tenant_id, chosen or None, address, now()))


def _rename_all(tx: Transaction, commands: Sequence[Rename]) -> list[None]:
    for command in commands:
        changed = {"name": command.name, "updated_at": command.at}
        tx.execute(users.update().where(users.c.id == command.user_id).values(changed))
        tx.audit(deed(command.user_id, "user.renamed", command.tenant_id, address=command.address))
    return [None] * len(commands)

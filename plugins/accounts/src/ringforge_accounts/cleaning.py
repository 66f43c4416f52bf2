"""What is over, is deleted: sessions, links, attempts, counts, invitations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ringforge_accounts.tables import account_tries, invites, key_sessions, one_time_tokens, sign_in_attempts, user_sessions
from ringforge_core.plugin import now
from ringforge_core.ports.store import Store, Transaction

EVERY_SECONDS = 600.0


async def clean(store: Store) -> None:
    await store.apply(_clean_all, now())


def _clean_all(tx: Transaction, commands: Sequence[datetime]) -> list[None]:
    for at in commands:
        for table in (user_sessions, key_sessions, one_time_tokens, sign_in_attempts, account_tries, invites):
            tx.execute(table.delete().where(table.c.expires_at <= at))
    return [None] * len(commands)

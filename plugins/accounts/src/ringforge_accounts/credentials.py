"""A person's password is set: with a link, or by who is signed in and knows the old one. All other sessions end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ringforge_accounts import one_time
from ringforge_accounts.audit import deed
from ringforge_accounts.letter_box import Letter, post
from ringforge_accounts.sessions import end_sessions
from ringforge_accounts.tables import users
from ringforge_core.errors import RingforgeError
from ringforge_core.plugin import now
from ringforge_core.ports.store import Store, Transaction


class SetPassword(msgspec.Struct, frozen=True, kw_only=True):
    """`link` is used up; without one, `spare` is the session of the person who is signed in. `letter` tells them."""

    user_id: str
    password_hash: str
    tenant_id: str
    letter: Letter
    link: bytes | None = None
    spare: str | None = None
    address: str | None
    at: datetime


async def set_password(
    store: Store, user_id: str, password_hash: str, *, tenant_id: str, address: str | None, letter: Letter,
    link: bytes | None = None, spare: str | None = None,
) -> None:  # fmt: skip
    """Raises `Unauthenticated` for a link that is used up."""
    command = SetPassword(
        user_id=user_id, password_hash=password_hash, tenant_id=tenant_id, letter=letter, link=link, spare=spare,
        address=address, at=now(),
    )  # fmt: skip
    await store.apply(_set_all, command)


def _set_all(tx: Transaction, commands: Sequence[SetPassword]) -> list[RingforgeError | None]:
    return [_set(tx, command) for command in commands]


def _set(tx: Transaction, command: SetPassword) -> RingforgeError | None:
    if command.link is not None and one_time.take(tx, "reset_password", command.link, command.at) is None:
        return one_time.used_up()
    changed = {"password_hash": command.password_hash, "updated_at": command.at}
    tx.execute(users.update().where(users.c.id == command.user_id).values(changed))
    end_sessions(tx, command.user_id, spare=command.spare)
    post(tx, command.letter)
    how = "link" if command.link is not None else "password"
    tx.audit(deed(command.user_id, "user.password_changed", command.tenant_id, address=command.address, by=how))
    return None

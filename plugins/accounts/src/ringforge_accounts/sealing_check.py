"""Whether this hub's encryption key is the one that the data was sealed with: it is known before anything is sealed anew.

A known text is kept sealed. A hub that cannot open it would lose every second factor, so it does not start. One that opens
it with a replaced key seals all anew under the new one, and then the old one can go.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its `on_conflict_do_nothing` is valid SQLite as well

from ringforge_accounts.sealing import Sealer
from ringforge_accounts.tables import mails, one_time_tokens, recovery_codes, sealing_checks, sign_in_attempts, users
from ringforge_core.errors import ConfigError
from ringforge_core.ports.store import Store, Transaction

KNOWN, FOR = b"ringforge accounts", "check"


async def check_key(store: Store, sealer: Sealer) -> None:
    """Raises `ConfigError` for a key that is not the right one."""
    sealed = await _sealed(store)
    if sealed is None:
        await _check_second_factors(store, sealer)
        await store.apply(_keep_all, sealer.seal(KNOWN, for_=FOR))
        sealed = await _sealed(store)  # another hub may have been first
    try:
        sealer.open(sealed or b"", for_=FOR)
    except ConfigError:
        raise _wrong_key() from None
    if not sealer.is_current(sealed or b"", for_=FOR):
        await store.apply(_seal_anew_all, sealer)


def forget_sealed(tx: Transaction, commands: Sequence[None]) -> list[int]:
    """For who lost the key: all that was sealed is deleted. Returns how many second factors were turned off."""
    off = tx.execute(users.update().where(users.c.totp_secret.is_not(None)).values(totp_secret=None)).rowcount
    tx.execute(users.update().values(totp_pending=None))
    for table in (recovery_codes, mails, sign_in_attempts, sealing_checks):
        tx.execute(table.delete())
    tx.execute(one_time_tokens.delete().where(one_time_tokens.c.purpose == "second_factor"))
    return [off] * len(commands)


async def _sealed(store: Store) -> bytes | None:
    query = sa.select(sealing_checks.c.sealed)
    return await store.read(lambda connection: connection.execute(query).scalar_one_or_none())


async def _check_second_factors(store: Store, sealer: Sealer) -> None:
    """Data from before there was a check."""
    query = sa.select(users.c.id, users.c.totp_secret).where(users.c.totp_secret.is_not(None)).limit(1)
    row = await store.read(lambda connection: connection.execute(query).one_or_none())
    if row is None:
        return
    try:
        sealer.open(row.totp_secret, for_=f"totp {row.id}")
    except ConfigError:
        raise _wrong_key() from None


def _wrong_key() -> ConfigError:
    return ConfigError(
        "[capabilities.accounts] encryption_key is not the key that the second factors of this database are sealed with.",
        fix="Give every hub the same encryption_key, or name the earlier one in old_encryption_keys. A hub without one made"
        " its own in accounts.key of its data directory. If the key is lost: ringforge users forget-secrets",
    )  # fmt: skip


def _keep_all(tx: Transaction, commands: Sequence[bytes]) -> list[None]:
    for sealed in commands:
        tx.execute(insert(sealing_checks).on_conflict_do_nothing(index_elements=["id"]), {"id": 1, "sealed": sealed})
    return [None] * len(commands)


def _seal_anew_all(tx: Transaction, commands: Sequence[Sealer]) -> list[None]:
    for sealer in commands:
        for column in (users.c.totp_secret, users.c.totp_pending):
            for row in tx.execute(sa.select(users.c.id, column.label("sealed")).where(column.is_not(None))).all():
                fresh = sealer.seal(sealer.open(row.sealed, for_=f"totp {row.id}"), for_=f"totp {row.id}")
                tx.execute(users.update().where(users.c.id == row.id).values({column.name: fresh}))
        for row in tx.execute(sa.select(mails.c.id, mails.c.sealed)).all():
            fresh = sealer.seal(sealer.open(row.sealed, for_=f"mail {row.id}"), for_=f"mail {row.id}")
            tx.execute(mails.update().where(mails.c.id == row.id).values(sealed=fresh))
        tx.execute(sealing_checks.update().values(sealed=sealer.seal(KNOWN, for_=FOR)))
    return [None] * len(commands)

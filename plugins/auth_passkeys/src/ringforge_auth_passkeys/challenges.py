"""Challenges: each is answered once, in time, by the browser that got it, at whichever hub."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa

from ringforge_auth_passkeys.tables import challenges
from ringforge_core.errors import Unauthenticated
from ringforge_core.plugin import now
from ringforge_core.ports.store import Store, Transaction

VALID_FOR = timedelta(minutes=5)
Purpose = Literal["sign_in", "add"]


class Challenge(msgspec.Struct, frozen=True):
    digest: bytes
    purpose: Purpose
    browser: bytes
    at: datetime


async def issue(store: Store, purpose: Purpose, browser: str) -> bytes:
    """32 random bytes. `browser` is a secret that only this browser knows, or the id of the session in it."""
    challenge = secrets.token_bytes(32)
    await store.apply(_issue_all, Challenge(_digest(challenge), purpose, _digest(browser.encode()), now()))
    return challenge


async def take(store: Store, purpose: Purpose, browser: str, challenge: bytes) -> None:
    """Use it up. Raises `Unauthenticated` for one that is used up, too old, another browser's, or made up."""
    command = Challenge(_digest(challenge), purpose, _digest(browser.encode()), now())
    if not await store.apply(_take_all, command):
        raise Unauthenticated(
            "This was answered already, it took too long, or it began in another browser.", reason="invalid_challenge",
            fix="Try again.",
        )  # fmt: skip


async def clean(store: Store) -> None:
    await store.apply(_clean_all, now())


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _issue_all(tx: Transaction, commands: Sequence[Challenge]) -> list[None]:
    rows = [
        {"digest": each.digest, "purpose": each.purpose, "browser": each.browser, "expires_at": each.at + VALID_FOR}
        for each in commands
    ]
    tx.execute(challenges.insert(), rows)
    return [None] * len(commands)


def _take_all(tx: Transaction, commands: Sequence[Challenge]) -> list[bool]:
    return [_take_one(tx, command) for command in commands]


def _take_one(tx: Transaction, command: Challenge) -> bool:
    chosen = sa.and_(
        challenges.c.digest == command.digest, challenges.c.purpose == command.purpose,
        challenges.c.browser == command.browser, challenges.c.expires_at > command.at,
    )  # fmt: skip
    return bool(tx.execute(challenges.delete().where(chosen)).rowcount)


def _clean_all(tx: Transaction, commands: Sequence[datetime]) -> list[None]:
    for at in commands:
        tx.execute(challenges.delete().where(challenges.c.expires_at <= at))
    return [None] * len(commands)

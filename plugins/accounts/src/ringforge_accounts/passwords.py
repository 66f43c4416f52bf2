"""Passwords: hashed with argon2id off the event loop, and refused when they are easily guessed."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ringforge_core.errors import InvalidPayload

SHORTEST, LONGEST = 8, 200
ENOUGH = 3
"""Of zxcvbn's scores 0 to 4: 10^8 guesses do not suffice."""
ESTIMATED = 72
"""Characters that are looked at; estimating takes more than linear time."""
THREADS = 2
"""A hash takes 64 MiB and a core for a tenth of a second: so many at once, whoever else waits."""

_hasher = PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody's password")


class Passwords:
    """Has threads of its own, so that a storm of sign-ins holds up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="accounts-password")

    def stop(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _hasher.hash, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Without a stored hash: False, after the same work, so that time does not tell who has an account."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _matches, password, stored)

    async def check_strength(self, password: str, *about: str) -> None:
        """Raise `InvalidPayload` for a password that is too short, too long or easily guessed; `about` is the person."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise _refused(f"A password has {SHORTEST} to {LONGEST} characters.")
        loop = asyncio.get_running_loop()
        warning = await loop.run_in_executor(self._threads, _weakness, password, about)
        if warning is not None:
            raise _refused(warning)


def _matches(password: str, stored: str | None) -> bool:
    try:
        return _hasher.verify(stored or _nobodys_hash(), password[:LONGEST]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def _weakness(password: str, about: tuple[str, ...]) -> str | None:
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # it ships no types; late: it reads its word lists

    estimate = zxcvbn(password[:ESTIMATED], user_inputs=[word for word in about if word])
    if estimate["score"] >= ENOUGH:
        return None
    return str(estimate["feedback"]["warning"]) or "This password is easily guessed."


def _refused(message: str) -> InvalidPayload:
    return InvalidPayload(
        message, reason="weak_password", field="password", fix="Take several words that do not belong together."
    )

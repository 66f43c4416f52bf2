"""A second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.

Each code is good once: the time step of the last one is kept, and only a later one is taken. So a code that somebody
looked at over a shoulder, or that a proxy repeats, opens nothing.
"""

from __future__ import annotations

import hmac
import io
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pyotp
import sqlalchemy as sa

from ringforge_accounts.audit import deed
from ringforge_accounts.sealing import Sealer
from ringforge_accounts.sessions import end_sessions
from ringforge_accounts.tables import recovery_codes, users
from ringforge_accounts.tokens import code_digest, new_code
from ringforge_core.errors import Conflict, InvalidPayload, RingforgeError, Unauthenticated
from ringforge_core.plugin import now
from ringforge_core.plugin.web import SignedIn
from ringforge_core.ports.store import Store, Transaction

ISSUER = "Ringforge"
STEP = timedelta(seconds=30)
LATE = 1
"""Steps that a phone's clock may be off, either way."""
RECOVERY_CODES = 10


class Enrolment(msgspec.Struct, frozen=True):
    """What an authenticator app is shown: as a picture, and as text to type."""

    secret: str
    qr_svg: str


class Use(msgspec.Struct, frozen=True):
    """A code that is right is used: its step, or a recovery code's digest."""

    user_id: str
    step: int | None
    recovery: bytes | None


class Enable(msgspec.Struct, frozen=True):
    user_id: str
    session_id: str
    tenant_id: str
    step: int
    recovery: tuple[bytes, ...]
    address: str | None
    at: datetime


class Disable(msgspec.Struct, frozen=True):
    user_id: str
    session_id: str
    tenant_id: str
    address: str | None
    at: datetime


class SecondFactor:
    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    async def enrol(self, person: SignedIn) -> Enrolment:
        """A new secret, which counts only after `enable`."""
        secret = pyotp.random_base32(32)
        sealed = self._sealer.seal(secret.encode(), for_=f"totp {person.user_id}")
        await self._store.apply(_keep_pending, (person.user_id, sealed))
        uri = pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=ISSUER)
        return Enrolment(secret, _as_svg(uri))

    async def enable(self, person: SignedIn, code: str, *, address: str | None) -> list[str]:
        """Confirm the secret with a first code; returns the recovery codes, shown this once. All other sessions end."""
        secret = await self._secret(person.user_id, "totp_pending")
        step = _step_of(secret, code) if secret else None
        if step is None:
            raise wrong_code()
        codes = [new_code() for _ in range(RECOVERY_CODES)]
        digests = tuple(code_digest(made) for made in codes)
        command = Enable(person.user_id, person.session_id, person.tenant_id, step, digests, address, now())
        await self._store.apply(_enable_all, command)
        return codes

    async def disable(self, person: SignedIn, *, address: str | None) -> None:
        command = Disable(person.user_id, person.session_id, person.tenant_id, address, now())
        await self._store.apply(_disable_all, command)

    async def check(self, user_id: str, code: str) -> None:
        """Use up a code of the app, or a recovery code. Raises `Unauthenticated` for a wrong one and for a used one."""
        secret = await self._secret(user_id, "totp_secret")
        step = _step_of(secret, code) if secret else None
        recovery = None if step is not None else code_digest(code)
        if not await self._store.apply(_use_all, Use(user_id, step, recovery)):
            raise wrong_code()

    async def recovery_codes_left(self, user_id: str) -> int:
        query = sa.select(sa.func.count()).where(recovery_codes.c.user_id == user_id)
        return await self._store.read(lambda connection: connection.execute(query).scalar_one())

    async def _secret(self, user_id: str, column: str) -> str | None:
        query = sa.select(users.c[column]).where(users.c.id == user_id)
        sealed = await self._store.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return None if sealed is None else self._sealer.open(sealed, for_=f"totp {user_id}").decode()


def wrong_code() -> Unauthenticated:
    return Unauthenticated(
        "This code is not right, or it was used already.", reason="wrong_code", fix="Wait for the next one.", field="code"
    )


def _step_of(secret: str, code: str) -> int | None:
    """The time step that the code belongs to, if it is of about now."""
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdecimal() and len(digits) == 6):
        return None
    totp, current = pyotp.TOTP(secret), int(now().timestamp()) // int(STEP.total_seconds())
    steps = [
        step for step in range(current - LATE, current + LATE + 1) if hmac.compare_digest(totp.generate_otp(step), digits)
    ]
    return steps[-1] if steps else None


def _as_svg(uri: str) -> str:
    import segno  # late: few set up a second factor, and each hub starts

    picture = io.BytesIO()
    segno.make(uri, error="m").save(
        picture, kind="svg", scale=5, border=3, dark="#000", light="#fff", xmldecl=False, title="QR code"
    )
    return picture.getvalue().decode()


def _keep_pending(tx: Transaction, commands: Sequence[tuple[str, bytes]]) -> list[None]:
    for user_id, sealed in commands:
        tx.execute(users.update().where(users.c.id == user_id).values(totp_pending=sealed))
    return [None] * len(commands)


def _enable_all(tx: Transaction, commands: Sequence[Enable]) -> list[RingforgeError | None]:
    return [_enable(tx, command) for command in commands]


def _enable(tx: Transaction, command: Enable) -> RingforgeError | None:
    user = sa.and_(users.c.id == command.user_id, users.c.totp_pending.is_not(None))
    changed = {
        "totp_secret": users.c.totp_pending, "totp_pending": None, "totp_step": command.step, "updated_at": command.at,
    }  # fmt: skip
    if not tx.execute(users.update().where(user).values(changed)).rowcount:
        return Conflict("The second factor was set up meanwhile.", fix="Reload the page.")
    tx.execute(recovery_codes.delete().where(recovery_codes.c.user_id == command.user_id))
    tx.execute(recovery_codes.insert(), [{"user_id": command.user_id, "digest": digest} for digest in command.recovery])
    end_sessions(tx, command.user_id, spare=command.session_id)
    tx.audit(deed(command.user_id, "user.second_factor_enabled", command.tenant_id, address=command.address))
    return None


def _disable_all(tx: Transaction, commands: Sequence[Disable]) -> list[RingforgeError | None]:
    return [_disable(tx, command) for command in commands]


def _disable(tx: Transaction, command: Disable) -> RingforgeError | None:
    user = sa.and_(users.c.id == command.user_id, users.c.totp_secret.is_not(None))
    changed = {"totp_secret": None, "totp_pending": None, "updated_at": command.at}
    if not tx.execute(users.update().where(user).values(changed)).rowcount:
        return InvalidPayload("There is no second factor to turn off.")
    tx.execute(recovery_codes.delete().where(recovery_codes.c.user_id == command.user_id))
    end_sessions(tx, command.user_id, spare=command.session_id)
    tx.audit(deed(command.user_id, "user.second_factor_disabled", command.tenant_id, address=command.address))
    return None


def _use_all(tx: Transaction, commands: Sequence[Use]) -> list[bool]:
    return [_use(tx, command) for command in commands]


def _use(tx: Transaction, command: Use) -> bool:
    if command.step is not None:
        later = sa.and_(users.c.id == command.user_id, users.c.totp_step < command.step)
        return bool(tx.execute(users.update().where(later).values(totp_step=command.step)).rowcount)
    mine = sa.and_(recovery_codes.c.user_id == command.user_id, recovery_codes.c.digest == command.recovery)
    return bool(tx.execute(recovery_codes.delete().where(mine)).rowcount)

"""Sign-in by an adapter of the port Auth: what begins in a browser is finished in it, once, in time.

An identity leads to the account that it was linked with, by provider and subject. The same e-mail is no link: else
whoever gets an address at some provider would get the account. It takes somebody signed in to link one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from ringforge_accounts.audit import deed
from ringforge_accounts.letter_box import Letter, post
from ringforge_accounts.mailer import Mailer
from ringforge_accounts.newcomers import add_identity
from ringforge_accounts.people import User, find_by_email, find_by_identity
from ringforge_accounts.registration import Registration
from ringforge_accounts.sealing import Sealer
from ringforge_accounts.sessions import Visitor
from ringforge_accounts.sign_in import Entered, SignIn
from ringforge_accounts.tables import sign_in_attempts as table
from ringforge_accounts.tables import user_identities
from ringforge_accounts.tenant_providers import Place, TenantProviders
from ringforge_accounts.tokens import digest, new_token
from ringforge_core.errors import Conflict, Forbidden, NotFound, RingforgeError, Unauthenticated
from ringforge_core.plugin import now
from ringforge_core.plugin.web import SignedIn
from ringforge_core.ports.auth import Answer, Attempt, Auth, Begun, VerifiedIdentity
from ringforge_core.ports.store import Store, Transaction

VALID_FOR = timedelta(minutes=15)

CountWays = Callable[[Transaction, str], int]


class KeptAttempt(msgspec.Struct, frozen=True, kw_only=True):
    state_digest: bytes
    adapter: str
    visit_digest: bytes
    kept: bytes
    next_path: str
    invite: bytes | None
    user_id: str | None
    expires_at: datetime


class Link(msgspec.Struct, frozen=True):
    user_id: str
    tenant_id: str
    provider: str
    subject: str
    email: str | None
    address: str | None
    at: datetime


class Unlink(msgspec.Struct, frozen=True):
    """Take the provider's identities away, unless they are all that the person signs in with: `count_ways` says with how
    many things they do, and `in_use` whether these are among them."""

    user_id: str
    tenant_id: str
    provider: str
    in_use: bool
    count_ways: CountWays
    address: str | None


class Kept(msgspec.Struct, frozen=True):
    """What is sealed with an attempt: what the adapter needs again, and the answer if that was posted."""

    needed: dict[str, str]
    answer: dict[str, str] = {}


class Outcome(NamedTuple):
    """Where to go, signed in or on to the second factor; `entered` is None when an identity was linked."""

    next_path: str
    entered: Entered | None


class Providers:
    def __init__(
        self, store: Store, adapters: Mapping[str, Auth], sealer: Sealer, sign_in: SignIn, registration: Registration,
        count_ways: CountWays, tenants: TenantProviders, mailer: Mailer,
    ) -> None:  # fmt: skip
        self.adapters = adapters
        self._tenants = tenants
        self._mailer = mailer
        self._store = store
        self._sealer = sealer
        self._sign_in = sign_in
        self._registration = registration
        self._count_ways = count_ways

    def adapter(self, name: str) -> Auth:
        """Raises `NotFound`."""
        if name not in self.adapters:
            raise NotFound("Nobody signs in this way here.")
        return self.adapters[name]

    def answers_by_post(self, name: str) -> bool:
        return name in self.adapters and self.adapters[name].answers_by_post

    async def begin(
        self, name: str, *, callback_url: str, visit: str, next_path: str, email: str | None = None,
        invite: bytes | None = None, person: SignedIn | None = None, sends: bool = True,
    ) -> Begun:  # fmt: skip
        """`visit` is the browser's own secret; with `person` the identity will be linked to their account. A mail is
        promised with the attempt; where it must not be sent (`sends`), all else is done as if it were."""
        state = new_token()
        begun = await self.adapter(name).begin(Attempt(state=state, callback_url=callback_url, email=email))
        await self._tenants.check(begun.tenant)
        kept = self._seal(digest(state), Kept(dict(begun.kept)))
        attempt = KeptAttempt(
            state_digest=digest(state), adapter=name, visit_digest=digest(visit), kept=kept, next_path=next_path,
            invite=invite, user_id=person.user_id if person else None, expires_at=now() + VALID_FOR,
        )  # fmt: skip
        letter = self._mailer.seal(begun.mail if sends else None) if begun.mail is not None else None
        await self._store.apply(_keep_all, (attempt, letter))
        self._mailer.wake()
        return begun

    async def hold(self, name: str, state: str, answer: Mapping[str, str]) -> None:
        """Keep an answer that a provider's page posted, until the browser comes by itself and completes it; one to no
        attempt is dropped. Whoever posts, only the browser that began the attempt finishes it."""
        query = sa.select(table.c.kept).where(_of_attempt(name, digest(state), now()))
        kept = await self._store.read(lambda connection: connection.execute(query).scalar_one_or_none())
        if kept is not None:
            needed = self._open(digest(state), kept).needed
            await self._store.apply(_hold_all, (digest(state), self._seal(digest(state), Kept(needed, dict(answer)))))

    async def complete(
        self, name: str, *, parameters: Mapping[str, str], callback_url: str, visit: str, visitor: Visitor,
        cookie: str | None, person: SignedIn | None,
    ) -> Outcome:  # fmt: skip
        """Raises `Unauthenticated` for an answer that is not to an attempt of this browser, and `Forbidden`."""
        adapter = self.adapter(name)
        state = parameters.get("state") or parameters.get("RelayState") or ""
        attempt = await self._take(name, state, None if adapter.by_mail else visit)
        kept = self._open(digest(state), attempt.kept)
        given = kept.answer if adapter.answers_by_post else parameters
        identity = await adapter.complete(Answer(parameters=given, callback_url=callback_url, kept=kept.needed))
        place = await self._tenants.check_identity(identity)
        if attempt.user_id is not None:
            await self._link(attempt.user_id, person, identity, visitor.address)
            return Outcome(attempt.next_path, None)
        entered = await self._enter(adapter, identity, attempt.invite, visitor, cookie, place)
        return Outcome(attempt.next_path, entered)

    async def unlink(self, person: SignedIn, provider: str, *, address: str | None) -> None:
        """Raises `Conflict` for the only way in that the person has."""
        in_use = any(adapter.provider == provider for adapter in self.adapters.values())
        command = Unlink(person.user_id, person.tenant_id, provider, in_use, self._count_ways, address)
        await self._store.apply(_unlink_all, command)

    async def _enter(
        self, adapter: Auth, identity: VerifiedIdentity, invite: bytes | None, visitor: Visitor, cookie: str | None,
        place: Place | None,
    ) -> Entered:  # fmt: skip
        user = await self._account_of(adapter, identity)
        if user is not None:
            if place is not None:
                await self._tenants.check_member(user, place)
            return await self._sign_in.enter(
                user, method=identity.provider, visitor=visitor, cookie=cookie,
                tenant_id=place.tenant_id if place is not None else None,
            )  # fmt: skip
        if identity.email_verified and identity.email and await find_by_email(self._store, identity.email) is not None:
            raise Forbidden(
                "There is an account with this e-mail, and it is not linked with this identity.", reason="not_linked",
                fix="Sign in as you did before, then connect it under Account.",
            )  # fmt: skip
        made = await self._registration.with_identity(
            identity, invite=invite if place is None else None, visitor=visitor, cookie=cookie, belongs_to=place
        )
        return Entered(cookie=made)

    async def _account_of(self, adapter: Auth, identity: VerifiedIdentity) -> User | None:
        linked = await find_by_identity(self._store, identity.provider, identity.subject)
        if linked is not None or not adapter.by_mail or not identity.email_verified or identity.email is None:
            return linked
        return await find_by_email(self._store, identity.email)  # a mail proves the very address that the account has

    async def _link(self, user_id: str, person: SignedIn | None, identity: VerifiedIdentity, address: str | None) -> None:
        if person is None or person.user_id != user_id:
            raise Unauthenticated("You are not signed in any more.", reason="sign_in_required", fix="Begin again.")
        command = Link(user_id, person.tenant_id, identity.provider, identity.subject, identity.email, address, now())
        await self._store.apply(_link_all, command)

    def _seal(self, state_digest: bytes, kept: Kept) -> bytes:
        return self._sealer.seal(msgspec.json.encode(kept), for_=f"attempt {state_digest.hex()}")

    def _open(self, state_digest: bytes, sealed: bytes) -> Kept:
        return msgspec.json.decode(self._sealer.open(sealed, for_=f"attempt {state_digest.hex()}"), type=Kept)

    async def _take(self, name: str, state: str, visit: str | None) -> KeptAttempt:
        attempt = await self._store.apply(
            _take_all, (name, digest(state), digest(visit) if visit is not None else None, now())
        )
        if attempt is None:
            raise Unauthenticated(
                "This sign-in began elsewhere, was finished already, or is too old.", reason="invalid_state",
                fix="Begin again.",
            )  # fmt: skip
        return attempt


def _keep_all(tx: Transaction, commands: Sequence[tuple[KeptAttempt, Letter | None]]) -> list[None]:
    tx.execute(table.insert(), [msgspec.structs.asdict(attempt) for attempt, _ in commands])
    for _, letter in commands:
        if letter is not None:
            post(tx, letter)
    return [None] * len(commands)


def _hold_all(tx: Transaction, commands: Sequence[tuple[bytes, bytes]]) -> list[None]:
    for state, kept in commands:
        tx.execute(table.update().where(table.c.state_digest == state).values(kept=kept))
    return [None] * len(commands)


def _of_attempt(adapter: str, state: bytes, at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.adapter == adapter, table.c.state_digest == state, table.c.expires_at > at)


def _take_all(tx: Transaction, commands: Sequence[tuple[str, bytes, bytes | None, datetime]]) -> list[KeptAttempt | None]:
    return [_take_one(tx, *command) for command in commands]


def _take_one(tx: Transaction, adapter: str, state: bytes, visit: bytes | None, at: datetime) -> KeptAttempt | None:
    chosen = _of_attempt(adapter, state, at)
    if visit is not None:
        chosen = sa.and_(chosen, table.c.visit_digest == visit)
    columns = [table.c[name] for name in KeptAttempt.__struct_fields__]
    row = tx.execute(table.delete().where(chosen).returning(*columns)).mappings().one_or_none()
    return None if row is None else KeptAttempt(**row)


def _link_all(tx: Transaction, commands: Sequence[Link]) -> list[RingforgeError | None]:
    return [_link_one(tx, command) for command in commands]


def _link_one(tx: Transaction, command: Link) -> RingforgeError | None:
    owner = sa.select(user_identities.c.user_id).where(
        user_identities.c.provider == command.provider, user_identities.c.subject == command.subject
    )
    holder = tx.execute(owner).scalar_one_or_none()
    if holder is not None:
        return None if holder == command.user_id else Conflict(
            "This identity is linked with another account.", reason="linked_elsewhere", fix="Sign in with it."
        )  # fmt: skip
    add_identity(tx, (command.provider, command.subject), command.user_id, command.email, command.at)
    tx.audit(
        deed(command.user_id, "user.identity_linked", command.tenant_id, address=command.address, provider=command.provider)
    )
    return None


def _unlink_all(tx: Transaction, commands: Sequence[Unlink]) -> list[RingforgeError | None]:
    return [_unlink_one(tx, command) for command in commands]


def _unlink_one(tx: Transaction, command: Unlink) -> RingforgeError | None:
    ways = command.count_ways(tx, command.user_id)
    mine = sa.and_(user_identities.c.user_id == command.user_id, user_identities.c.provider == command.provider)
    linked = tx.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
    if not linked:
        return NotFound("This way to sign in is not linked with your account.")
    if command.in_use and ways <= linked:
        return Conflict(
            "You sign in with nothing else.", reason="last_way_in", fix="Set a password, or connect another account, first."
        )
    tx.execute(user_identities.delete().where(mine))
    tx.audit(
        deed(
            command.user_id, "user.identity_unlinked", command.tenant_id, address=command.address, provider=command.provider
        )
    )
    return None

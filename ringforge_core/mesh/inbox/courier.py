"""Brings letters to the agents that are connected here, each agent's in their order."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from ringforge_core.errors import RingforgeError
from ringforge_core.mesh.inbox.claim import PAGE, Claim, Claimed, Release, claim, release
from ringforge_core.mesh.inbox.letter import Letter, body_of_attempt
from ringforge_core.mesh.inbox.mailbox import Mailbox
from ringforge_core.mesh.inbox.outgoing import Outgoing
from ringforge_core.mesh.inbox.put import Address
from ringforge_core.plugin import Member
from ringforge_core.ports.store import Store

RETRY_SECONDS = 0.5
IN_TURN_SECONDS = 10.0
"""An agent that comes here gets nothing out of its order for so long: that is until the hubs know that the one it came
from is gone, and have given back what that had in work. An agent that stays at both gets from both what each claims."""
TURN_SECONDS = 1.0
"""How long the hub waits to be told that another one is done with what comes first, before it looks by itself."""
SIGNAL = "inbox.free"

log = structlog.get_logger(__name__)


class Courier:
    """Two ways to an agent: at once, for a letter that this process claimed as it was written and that nothing older
    waits before; else by the agent's pump, a task that claims page after page of what waits in the database."""

    def __init__(self, store: Store, *, node: str, visibility: timedelta) -> None:
        self.claimer = f"{node}/{secrets.token_hex(8)}"
        self.visibility = visibility
        self._store = store
        self._mailboxes: dict[Address, Mailbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._outgoing = Outgoing(
            store, on_written=self._await_acknowledgement, on_gone=self._give_back_one, on_settled=self._settled
        )
        self._decoder = msgspec.json.Decoder(list[Address])
        store.on_signal(SIGNAL, lambda body: self.wake(self._decoder.decode(body)), missed=self._look_at_all)

    def start(self) -> None:
        self._outgoing.start()

    async def stop(self) -> None:
        """Settle what was written; what was not stays in the inbox, for another node or the next start."""
        for mailbox in self._mailboxes.values():
            for timer in mailbox.held.values():
                if timer is not None:
                    timer.cancel()
            if mailbox.pump is not None:
                mailbox.pump.cancel()
        await self._outgoing.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- agents -------------------------------------------------------------------------------------------------

    def join(self, member: Member) -> None:
        """The agent has one more channel: it gets what waits, and what comes from now on."""
        address = address_of(member)
        mailbox = self._mailboxes.get(address)
        if mailbox is None:
            mailbox = self._mailboxes[address] = Mailbox(address)
        if not mailbox.members:
            mailbox.in_turn_until = time.monotonic() + IN_TURN_SECONDS
        mailbox.members.append(member)
        self._start_pump(mailbox)

    def leave(self, member: Member) -> None:
        """A channel less. What the last one did not acknowledge is free for the agent's next one, wherever that is."""
        mailbox = self._mailboxes[address_of(member)]
        mailbox.members.remove(member)
        if not mailbox.members:
            self._outgoing.look()
            self._give_back(mailbox, [message_id for message_id, timer in mailbox.held.items() if timer is not None])
            self._close_if_idle(mailbox)

    def wake(self, addresses: Iterable[Address]) -> None:
        """Something may wait for these agents."""
        for address in addresses:
            mailbox = self._mailboxes.get(address)
            if mailbox is not None:
                if mailbox.freed is not None:
                    mailbox.freed.set()
                self._start_pump(mailbox)

    def free(self, addresses: Sequence[Address]) -> None:
        """Whoever had something in work for these agents is done with it: they may be here, or at another hub."""
        self.wake(addresses)
        self._store.signal(SIGNAL, msgspec.json.encode(addresses))

    async def _look_at_all(self) -> None:
        self.wake(list(self._mailboxes))

    # --- at once ------------------------------------------------------------------------------------------------

    def hold(self, address: Address, message_id: str) -> bool:
        """Whether the agent can be served at once; if so the message, not yet written, is this process's to push."""
        mailbox = self._mailboxes.get(address)
        if mailbox is None or mailbox.pump is not None or not mailbox.ready:
            return False
        mailbox.held[message_id] = None
        return True

    def let_go(self, address: Address, message_id: str) -> None:
        """The message was not written after all, or is settled."""
        mailbox = self._mailboxes.get(address)
        if mailbox is not None:
            mailbox.let_go(message_id)
            self._close_if_idle(mailbox)

    def push_held(self, address: Address, letter: Letter) -> bool:
        """Push what `hold` promised; False when that is not possible any more, and the pump does it."""
        mailbox = self._mailboxes[address]
        if mailbox.pump is None and mailbox.ready:
            self._push(mailbox, Claimed(letter.message_id, letter.push, bytes(letter.body), 1, letter.ack))
            return True
        self._give_back_one(mailbox, letter.message_id)
        return False

    def expect(self, address: Address, message_id: str) -> asyncio.Future[None] | None:
        """Leave the message to the pump; done when it was pushed. None when that cannot be soon."""
        mailbox = self._mailboxes.get(address)
        if mailbox is None:
            return None
        self._start_pump(mailbox)
        if not mailbox.ready:
            return None
        return mailbox.expected.setdefault(message_id, asyncio.get_running_loop().create_future())

    def expect_no_more(self, address: Address, message_id: str) -> None:
        mailbox = self._mailboxes.get(address)
        if mailbox is not None:
            mailbox.expected.pop(message_id, None)

    def _push(self, mailbox: Mailbox, letter: Claimed) -> None:
        mailbox.push(letter.push, body_of_attempt(letter.body, letter.attempt))
        self._outgoing.add(mailbox, letter.message_id, ack=letter.ack)
        waiter = mailbox.expected.pop(letter.message_id, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # --- by the pump --------------------------------------------------------------------------------------------

    def _start_pump(self, mailbox: Mailbox) -> None:
        mailbox.behind = True
        if mailbox.pump is None and mailbox.members:
            mailbox.pump = self._spawn(self._pump(mailbox))

    async def _pump(self, mailbox: Mailbox) -> None:
        try:
            while mailbox.behind and mailbox.members:
                await self._pump_page(mailbox)
        finally:
            mailbox.pump = mailbox.freed = None
            self._close_if_idle(mailbox)

    async def _pump_page(self, mailbox: Mailbox) -> None:
        if not await mailbox.takes_more():
            return None
        mailbox.behind = False  # what is written from now on sets it again
        mailbox.freed = freed = asyncio.Event()
        try:
            page = await self._store.apply(claim, self._claim(mailbox))
        except RingforgeError as error:
            log.warning("inbox_not_claimed", reason=error.reason, retry_seconds=RETRY_SECONDS)
            mailbox.behind = True
            return await asyncio.sleep(RETRY_SECONDS)
        letters = page.letters
        mailbox.held.update(dict.fromkeys(letter.message_id for letter in letters))
        mailbox.loose = mailbox.loose.difference(mailbox.held)
        mailbox.behind = mailbox.behind or page.must_wait or len(letters) == PAGE
        for place, letter in enumerate(letters):
            if not await mailbox.takes_more():
                return self._give_back(mailbox, [each.message_id for each in letters[place:]])
            self._push(mailbox, letter)
        if page.must_wait:
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    await freed.wait()
        return None

    def _claim(self, mailbox: Mailbox) -> Claim:
        in_turn = time.monotonic() < mailbox.in_turn_until
        return Claim(mailbox.address, self.claimer, self.visibility, frozenset(mailbox.held), in_turn)

    # --- what becomes of it -------------------------------------------------------------------------------------

    def _await_acknowledgement(self, mailbox: Mailbox, message_id: str) -> None:
        if message_id in mailbox.held:  # else it was acknowledged before it was seen to be written
            mailbox.held[message_id] = asyncio.get_running_loop().call_later(
                self.visibility.total_seconds(), self._again, mailbox, message_id
            )

    def _again(self, mailbox: Mailbox, message_id: str) -> None:
        mailbox.let_go(message_id)
        self._start_pump(mailbox)

    def _settled(self, mailbox: Mailbox, message_id: str) -> None:
        mailbox.let_go(message_id)
        if not (mailbox.members or mailbox.held):
            self.free([mailbox.address])  # the agent left while it was on its way
        self._close_if_idle(mailbox)

    def _give_back_one(self, mailbox: Mailbox, message_id: str) -> None:
        self._give_back(mailbox, [message_id])

    def _give_back(self, mailbox: Mailbox, message_ids: Sequence[str]) -> None:
        """These were claimed and are not pushed: by the pump then, and when the agent has left, by any node."""
        for message_id in message_ids:
            mailbox.let_go(message_id)
        mailbox.loose = mailbox.loose.union(message_ids)
        if mailbox.members:
            self._start_pump(mailbox)
        elif mailbox.loose:
            self._spawn(self._release(Release(mailbox.address, self.claimer, tuple(mailbox.loose))))
            mailbox.loose = frozenset()

    async def _release(self, given_back: Release) -> None:
        try:
            await self._store.apply(release, given_back)
        except RingforgeError as error:
            log.warning("inbox_not_released", reason=error.reason)  # the claims lapse by themselves
        self.free([given_back.address])

    def _close_if_idle(self, mailbox: Mailbox) -> None:
        if not (mailbox.members or mailbox.held or mailbox.pump):
            self._mailboxes.pop(mailbox.address, None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def address_of(member: Member) -> Address:
    agent = member.agent
    return agent.tenant_id, agent.fleet_id, agent.agent_id

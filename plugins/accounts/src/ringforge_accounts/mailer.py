"""Sends the mails that wait, each at least once: one task a hub, tries again for a day, then gives up and says so."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from prometheus_client import Counter

from ringforge_accounts import letter_box
from ringforge_accounts.letter_box import Claimed, Letter
from ringforge_accounts.mail import MailServer
from ringforge_accounts.sealing import Sealer
from ringforge_core.errors import RingforgeError, Unavailable
from ringforge_core.plugin import Nodes, now
from ringforge_core.ports.auth import Mail
from ringforge_core.ports.store import Store

LOOK_SECONDS = 2.0
"""How often a hub looks for mails that are due: tries again, and mails of hubs that are gone."""
TRY_SECONDS = 120.0
STOP_SECONDS = 5.0
GIVE_UP_AFTER = timedelta(days=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(hours=1)

log = structlog.get_logger(__name__)


class Mailer:
    """`sent` counts by result: `sent`, `retried`, `given_up`."""

    def __init__(self, store: Store, server: MailServer, sealer: Sealer, *, node: str, nodes: Nodes) -> None:
        self._store = store
        self._server = server
        self._sealer = sealer
        self._node = node
        self._more = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self.counter = Counter("ringforge_mails", "Mails to people, by what became of them.", ["result"], registry=None)
        nodes.on_gone(lambda gone: letter_box.release(store, gone))

    async def start(self) -> None:
        await letter_box.release(self._store, self._node)
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name="accounts-mail")

    async def stop(self) -> None:
        """Lets the mail that is being sent arrive, for some seconds; one that is cut off is sent again after a start.
        A second stop does nothing."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        self._more.set()
        await asyncio.wait([task], timeout=STOP_SECONDS)
        task.cancel()
        await asyncio.wait([task])

    def seal(self, mail: Mail | None) -> Letter:
        """For the change that promises the mail; None: a letter to nobody, which costs the same. Call `wake` after it."""
        return letter_box.seal(self._sealer, mail)

    async def send(self, mail: Mail | None) -> None:
        """A mail that no other change promises; returns when it is safe."""
        await self._store.apply(letter_box.post_all, self.seal(mail))
        self.wake()

    def wake(self) -> None:
        self._more.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._more.clear()
            try:
                while not self._stopping and await letter_box.is_due(self._store):
                    await self._send_next()
            except Unavailable as error:
                log.warning("mails_wait", problem=error.message)
            except Exception:
                log.exception("mails_wait")
            if not self._stopping:
                await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._more.wait()

    async def _send_next(self) -> None:
        claimed = await letter_box.claim(self._store, self._node)
        if claimed is None:
            return
        try:
            mail = letter_box.unseal(self._sealer, claimed)
            if mail is not None:
                async with asyncio.timeout(TRY_SECONDS):
                    await self._server.deliver(mail, claimed.id)
                self.counter.labels("sent").inc()
        except (RingforgeError, TimeoutError) as error:
            await self._try_again(claimed, str(error) or "no answer in time")
        else:
            await letter_box.remove(self._store, claimed.id)

    async def _try_again(self, claimed: Claimed, problem: str) -> None:
        age = now() - claimed.inserted_at
        if age > GIVE_UP_AFTER:
            log.error("mail_given_up", mail=claimed.id, tries=claimed.tries, problem=problem)
            self.counter.labels("given_up").inc()
            return await letter_box.remove(self._store, claimed.id)
        pause = min(FIRST_PAUSE * 2 ** min(claimed.tries - 1, 12), LONGEST_PAUSE)
        log.warning(
            "mail_waits", mail=claimed.id, tries=claimed.tries, problem=problem, retry_seconds=pause.total_seconds()
        )
        self.counter.labels("retried").inc()
        return await letter_box.put_back(self._store, claimed.id, now() + pause)

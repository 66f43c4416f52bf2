"""The way out for mails: over SMTP, or without a server to the operator's terminal.

Mails are handed over and sent in the background, so an answer takes as long whether or not there was one to send. They
wait in memory: what a crash loses, the person asks for again.
"""

from __future__ import annotations

import asyncio
import sys
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import structlog
from aiosmtplib import SMTP, SMTPException

from ringforge_accounts.settings import MailSettings
from ringforge_core.ports.auth import Mail

WAITING = 1000
"""Mails in memory; one more is dropped, and logged."""
RETRIES = (1.0, 5.0, 30.0)
"""Seconds to wait before each further try."""

log = structlog.get_logger(__name__)


class Mailer:
    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._queue: asyncio.Queue[Mail] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="accounts-mail")

    async def stop(self) -> None:
        """A second stop does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def send(self, mail: Mail) -> None:
        """Hand over; returns at once."""
        try:
            self._queue.put_nowait(mail)
        except asyncio.QueueFull:
            log.error("mail_not_sent", subject=mail.subject, problem="too many mails wait")

    async def _run(self) -> None:
        while True:
            mail = await self._queue.get()
            try:
                await self._deliver(mail)
            except Exception:
                log.exception("mail_not_sent", subject=mail.subject)

    async def _deliver(self, mail: Mail) -> None:
        if self._settings.server is None:
            return _show(mail)
        for pause in (*RETRIES, None):
            try:
                return await self._send(mail)
            except (SMTPException, OSError) as error:
                log.warning("mail_not_sent", subject=mail.subject, problem=str(error), retry_seconds=pause)
                if pause is not None:
                    await asyncio.sleep(pause)
        return None

    async def _send(self, mail: Mail) -> None:
        settings = self._settings
        host, _, port = (settings.server or "").rpartition(":")
        client = SMTP(
            hostname=host.strip("[]"), port=int(port), timeout=30, use_tls=settings.encryption == "tls",
            start_tls=settings.encryption == "starttls",
        )  # fmt: skip
        async with client:
            if settings.user is not None and settings.password is not None:
                await client.login(settings.user, settings.password.reveal())
            await client.send_message(_message(mail, settings.sender))


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="ringforge")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _show(mail: Mail) -> None:
    """To the operator only: what a mail says lets people in, so it is never logged."""
    log.warning("mail_not_sent", subject=mail.subject, problem="no mail server is set", fix="[capabilities.accounts.mail]")
    if sys.stderr.isatty():
        sys.stderr.write(f"\nTo {mail.to}: {mail.subject}\n\n{mail.text}\n\n")

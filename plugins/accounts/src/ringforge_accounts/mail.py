"""The mail server: a mail goes over SMTP, or without a server to the operator's terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog

from ringforge_accounts.settings import MailSettings
from ringforge_core.errors import Unavailable
from ringforge_core.ports.auth import Mail

if TYPE_CHECKING:  # these take a while to import, and a hub starts without a mail
    from email.message import EmailMessage

log = structlog.get_logger(__name__)


class MailServer:
    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def deliver(self, mail: Mail, mail_id: str) -> None:
        """Under the same `mail_id` a repeat is seen as one by who receives it. Raises `Unavailable`."""
        if self._settings.server is None:
            return _show(mail)
        from aiosmtplib import SMTPException

        try:
            return await self._send(mail, mail_id)
        except (SMTPException, OSError, ValueError) as error:  # ValueError: an address that no mail can have
            raise Unavailable(f"The mail server did not take it: {error}") from error

    async def _send(self, mail: Mail, mail_id: str) -> None:
        from aiosmtplib import SMTP

        settings = self._settings
        host, _, port = (settings.server or "").rpartition(":")
        client = SMTP(
            hostname=host.strip("[]"), port=int(port), timeout=30, use_tls=settings.encryption == "tls",
            start_tls=settings.encryption == "starttls",
        )  # fmt: skip
        async with client:
            if settings.user is not None and settings.password is not None:
                await client.login(settings.user, settings.password.reveal())
            await client.send_message(_message(mail, settings.sender, mail_id))


def _message(mail: Mail, sender: str, mail_id: str) -> EmailMessage:
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.utils import formatdate

    message = EmailMessage()
    message["From"] = sender
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{mail_id}@ringforge>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _show(mail: Mail) -> None:
    """To the operator only: what a mail says lets people in, so it is never logged."""
    log.warning("mail_not_sent", subject=mail.subject, problem="no mail server is set", fix="[capabilities.accounts.mail]")
    if sys.stderr.isatty():
        sys.stderr.write(f"\nTo {mail.to}: {mail.subject}\n\n{mail.text}\n\n")

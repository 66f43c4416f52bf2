"""The table [capabilities.accounts]."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ringforge_core.plugin import Secret


class MailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server that sends the mails."""

    server: Annotated[
        str | None,
        Meta(
            description="HOST:PORT of an SMTP server. Without one no mail is sent: what it would say is shown in the"
            " operator's terminal, if there is one.",
            examples=["smtp.example.org:587"],
        ),
    ] = None
    sender: Annotated[str, Meta(description="Whom the mails come from.")] = "Ringforge <ringforge@localhost>"
    user: Annotated[str | None, Meta(description="For servers that want a sign-in.", examples=["ringforge"])] = None
    password: Annotated[
        Secret | None, Meta(description="The user's password.", examples=["file:/run/secrets/smtp_password"])
    ] = None
    encryption: Annotated[
        Literal["starttls", "tls", "none"], Meta(description="`none` only for a server on this machine.")
    ] = "starttls"

    def __post_init__(self) -> None:
        if self.server is not None and not self.server.rpartition(":")[2].isdecimal():
            raise ValueError(f'server: expected HOST:PORT such as "smtp.example.org:587", got "{self.server}"')


class AccountsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People: how they come in, and how long they stay signed in."""

    registration: Annotated[
        Literal["invite", "waitlist", "self_serve", "closed"],
        Meta(
            description="Who may register: whoever has an invitation; who asked and was approved; everybody, with a tenant"
            " of their own on the plan free; nobody. An invitation lets newcomers in in all but `closed`, and people who"
            " have an account into another tenant in any."
        ),
    ] = "invite"
    session_hours: Annotated[float, Meta(gt=0, description="How long a person stays signed in.")] = 24
    tries_per_account: Annotated[
        int, Meta(ge=1, description="Sign-ins, second factors or codes tried for one account in 15 minutes.")
    ] = 10
    tries_per_address: Annotated[
        int, Meta(ge=1, description="The same from one address (of IPv6: one /64), for any accounts.")
    ] = 50
    mails_per_hour: Annotated[int, Meta(ge=1, description="Mails to one person that others can cause.")] = 5
    encryption_key: Annotated[
        Secret | None,
        Meta(
            description="What second factors and waiting mails are encrypted under; the same on every node, else it does"
            " not start. Without it the hub makes a key file in its data directory, which suits a single node.",
            examples=["file:/run/secrets/accounts_key"],
        ),
    ] = None
    old_encryption_keys: Annotated[
        tuple[Secret, ...], Meta(description="Keys that were replaced; what they encrypted can still be read.")
    ] = ()
    mail: MailSettings = MailSettings()

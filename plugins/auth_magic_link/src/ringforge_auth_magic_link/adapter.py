"""The verbs of the port Auth, with a mail in between.

Who has the link reads that mailbox: that is the proof. The caller sees to it that a link works once and for a quarter of
an hour, and only after a person confirmed: mail scanners open every link.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlencode

from ringforge_core.errors import InvalidPayload, Unauthenticated
from ringforge_core.ports.auth import Answer, Attempt, Auth, Begun, Mail, VerifiedIdentity

TEXT = """\
Somebody, probably you, wants to sign in to Ringforge with this address.

Open this link within 15 minutes, and confirm there:

{link}

If it was not you, do nothing.
"""


class MagicLink(Auth):
    provider = "magic_link"
    label = "a link by mail"
    by_mail = True

    async def start(self) -> None:
        """There is nothing to open."""

    async def stop(self) -> None:
        """Nor to close."""

    async def begin(self, attempt: Attempt) -> Begun:
        if not attempt.email:
            raise InvalidPayload("An e-mail is needed to send a link to.", field="email")
        token = secrets.token_urlsafe(32)
        link = f"{attempt.callback_url}?{urlencode({'state': attempt.state, 'token': token})}"
        mail = Mail(attempt.email, "Sign in to Ringforge", TEXT.format(link=link))
        return Begun(mail=mail, kept={"email": attempt.email, "digest": _digest(token)})

    async def complete(self, answer: Answer) -> VerifiedIdentity:
        email, expected = answer.kept.get("email", ""), answer.kept.get("digest", "")
        given = _digest(answer.parameters.get("token", ""))
        if not email or not hmac.compare_digest(given, expected):
            raise Unauthenticated("This is not the link that was sent.", reason="invalid_link", fix="Ask for a new one.")
        return VerifiedIdentity(provider=self.provider, subject=email.strip().casefold(), email=email, email_verified=True)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()

"""The port Auth: a person proves who they are, at a provider or with a mail.

Sign-in has two halves, with a person's browser in between, and any node may see the second one. So an adapter keeps
nothing: what it must remember (a nonce, a verifier) it hands over as `kept`, and the caller brings it along again. The
caller also draws the `state`, binds it to the browser, lets it be used once and expire; a `complete` is only called for
an attempt that stood these tests. Whether an identity may sign in, or be linked to an account, is the caller's decision.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

import msgspec


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that begins. `state` is random and for this attempt only: the answer must carry it.

    `callback_url` is the hub's absolute address that the browser comes back to. `email` is what the person typed, for
    adapters with `by_mail` or `asks_email`.
    """

    state: str
    callback_url: str
    email: str | None = None


class Mail(msgspec.Struct, frozen=True):
    """A mail in plain text to one address."""

    to: str
    subject: str
    text: str


class TenantOf(msgspec.Struct, frozen=True):
    """The tenant that a provider is for, by its id or its handle: whom the provider vouches for becomes a
    member there, with this role. Whether the tenant's plan includes a provider of its own is for the caller to see."""

    tenant: str
    role: Literal["viewer", "member", "admin"] = "member"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """Where the browser goes next, or the mail that the caller is to send; and what `complete` needs again.

    `kept` may hold secrets: the caller keeps it encrypted, and gives it to no browser. `tenant` is as the identity's.
    """

    redirect_url: str | None = None
    mail: Mail | None = None
    kept: Mapping[str, str] = {}
    tenant: TenantOf | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The browser came back: with what parameters, to which address, and what `begin` had the caller keep."""

    parameters: Mapping[str, str]
    callback_url: str
    kept: Mapping[str, str]


class VerifiedIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who it is. `(provider, subject)` is the identity and never changes hands; an e-mail may.

    `email_verified` is True only when the provider says that the person receives mail there. Unverified is no proof of
    anything: it never links to an account.
    """

    provider: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    tenant: TenantOf | None = None
    """Set by providers of one tenant; None: the identity says nothing of where the person belongs."""


class Document(msgspec.Struct, frozen=True):
    """A text for a provider's operator, of this media type."""

    text: str
    media_type: str


class Auth(ABC):
    """Proves identities. Every verb raises `Unavailable` when the provider does not answer."""

    provider: str
    """The `provider` of its identities, such as `google`."""
    label: str
    """What people call it: `Google`."""
    by_mail: bool = False
    """It sends a link to `Attempt.email`, which may be opened in another browser, or by a mail scanner: the caller
    completes it only after a person confirmed."""
    asks_email: bool = False
    """`begin` needs `Attempt.email`, to know whom to ask."""
    answers_by_post: bool = False
    """The provider's page posts the answer to `callback_url`. Browsers send no cookies with that: the caller keeps the
    answer, has the browser come by itself, and completes it then."""

    @abstractmethod
    async def start(self) -> None:
        """Make ready; needs no provider."""

    @abstractmethod
    async def stop(self) -> None:
        """Close what was opened. A second call does nothing."""

    @abstractmethod
    async def begin(self, attempt: Attempt) -> Begun:
        """Begin a sign-in; exactly one of `redirect_url` and `mail` comes back."""

    @abstractmethod
    async def complete(self, answer: Answer) -> VerifiedIdentity:
        """The identity that the answer proves. Raises `Unauthenticated` when it proves none, for whatever reason:
        declined, forged, of another attempt, too late, incomplete."""

    async def metadata(self, callback_url: str) -> Document | None:
        """What a provider must know of this hub, for adapters that have a format for it; else None."""
        return None

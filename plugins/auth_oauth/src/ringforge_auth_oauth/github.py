"""Sign-in with GitHub: OAuth 2 without an ID token, so its API is asked who came."""

from __future__ import annotations

import msgspec

from ringforge_auth_oauth.code_flow import CodeFlow, new_verifier
from ringforge_auth_oauth.settings import GitHubSettings
from ringforge_core.plugin import Adapter, hookimpl
from ringforge_core.ports.auth import Answer, Attempt, Auth, Begun, VerifiedIdentity


class GitHubUser(msgspec.Struct):
    """The number is the person; a login can be given up, and taken by another."""

    id: int
    login: str
    name: str | None = None


class GitHubEmail(msgspec.Struct):
    email: str
    primary: bool
    verified: bool


class GitHub(Auth):
    provider = "github"
    label = "GitHub"

    def __init__(self, settings: GitHubSettings) -> None:
        self._url = settings.url.rstrip("/")
        self._api = settings.api_url.rstrip("/")
        self._flow = CodeFlow(self.label, settings.client_id, settings.client_secret)

    async def start(self) -> None:
        await self._flow.start()

    async def stop(self) -> None:
        await self._flow.stop()

    async def begin(self, attempt: Attempt) -> Begun:
        verifier = new_verifier()
        url = self._flow.authorization_url(
            f"{self._url}/login/oauth/authorize", verifier=verifier, redirect_uri=attempt.callback_url,
            scope="read:user user:email", state=attempt.state,
        )  # fmt: skip
        return Begun(redirect_url=url, kept={"verifier": verifier})

    async def complete(self, answer: Answer) -> VerifiedIdentity:
        token = await self._flow.token(f"{self._url}/login/oauth/access_token", answer)
        if not token.access_token:
            self._flow.refuse("no token")
        user = await self._flow.get(f"{self._api}/user", GitHubUser, bearer=token.access_token)
        emails = await self._flow.get(f"{self._api}/user/emails", list[GitHubEmail], bearer=token.access_token)
        primary = next((email for email in emails if email.primary), None)
        return VerifiedIdentity(
            provider=self.provider, subject=str(user.id), email=primary.email if primary else None,
            email_verified=primary is not None and primary.verified, name=user.name or user.login,
        )  # fmt: skip


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=Auth, settings_type=GitHubSettings, create=lambda settings, context: GitHub(settings))

"""OpenID Connect on a certified provider, GitHub on a look-alike: both are an Auth."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from oauth_peers import SECRET, Person, fake_github, oidc_provider
from ringforge_auth_oauth.github import GitHub
from ringforge_auth_oauth.google import google
from ringforge_auth_oauth.openid import OpenIdConnect
from ringforge_auth_oauth.settings import GitHubSettings, GoogleSettings, OpenIdSettings

from ringforge_core.errors import Unauthenticated, Unavailable
from ringforge_core.plugin import Secret
from ringforge_core.ports.auth import Auth
from ringforge_core.testkit.auth import AuthContract, answer, new_attempt


class OAuthContract(AuthContract):
    """What holds for both beyond the port."""

    @pytest.fixture
    def person(self) -> Person:
        return Person()

    async def test_oauth_code_replay_a_code_counts_once(self, auth: Auth, person: Person) -> None:
        begun = await auth.begin(new_attempt())
        given = answer(await person(begun), begun)
        await auth.complete(given)
        with pytest.raises(Unauthenticated):
            await auth.complete(given)

    async def test_pkce_a_caught_code_is_worth_nothing_without_the_verifier(self, auth: Auth, person: Person) -> None:
        begun = await auth.begin(new_attempt())
        thief = await auth.begin(new_attempt())
        caught = await person(begun)
        with pytest.raises(Unauthenticated):
            await auth.complete(answer({**caught, "state": "the thief's own"}, thief))

    async def test_an_unverified_email_is_told_as_one(self, auth: Auth) -> None:
        begun = await auth.begin(new_attempt())
        identity = await auth.complete(answer(await Person("unverified:ada@example.org")(begun), begun))
        assert (identity.email, identity.email_verified) == ("ada@example.org", False)

    async def test_who_declines_is_told_so(self, auth: Auth) -> None:
        begun = await auth.begin(new_attempt())
        with pytest.raises(Unauthenticated, match="declined"):
            await auth.complete(answer(await Person("declines")(begun), begun))

    async def test_another_callback_than_the_one_asked_for_buys_nothing(self, auth: Auth, person: Person) -> None:
        begun = await auth.begin(new_attempt())
        with pytest.raises(Unauthenticated):
            await auth.complete(answer(await person(begun), begun, "http://127.0.0.1:1/elsewhere"))


class TestOpenIdConnect(OAuthContract):
    @pytest.fixture
    async def auth(self) -> AsyncIterator[Auth]:
        async with oidc_provider() as issuer:
            settings = GoogleSettings(client_id="ringforge", client_secret=Secret(SECRET))
            auth = google(settings, issuer=issuer)
            await auth.start()
            yield auth
            await auth.stop()

    async def test_an_answer_that_names_another_issuer_is_refused(self, auth: Auth, person: Person) -> None:
        begun = await auth.begin(new_attempt())
        given = {**await person(begun), "iss": "https://evil.example"}
        with pytest.raises(Unauthenticated):
            await auth.complete(answer(given, begun))

    async def test_an_id_token_with_another_nonce_is_refused(self, auth: Auth, person: Person) -> None:
        begun = await auth.begin(new_attempt())
        parameters = await person(begun)
        kept = {**begun.kept, "nonce": "another"}
        with pytest.raises(Unauthenticated):
            await auth.complete(answer(parameters, type(begun)(redirect_url=begun.redirect_url, kept=kept)))


class TestGitHub(OAuthContract):
    @pytest.fixture
    async def auth(self) -> AsyncIterator[Auth]:
        async with fake_github() as url:
            auth = GitHub(
                GitHubSettings(client_id="ringforge", client_secret=Secret(SECRET), url=url, api_url=f"{url}/api")
            )
            await auth.start()
            yield auth
            await auth.stop()


async def test_a_provider_that_is_gone_is_unavailable() -> None:
    settings = OpenIdSettings(client_id="x", client_secret=Secret("y"), issuer="http://127.0.0.1:9")
    auth = OpenIdConnect(settings)
    await auth.start()
    with pytest.raises(Unavailable):
        await auth.begin(new_attempt())
    await auth.stop()


def test_secrets_go_over_tls_only() -> None:
    with pytest.raises(ValueError, match="issuer: must begin with https"):
        OpenIdSettings(client_id="x", client_secret=Secret("y"), issuer="http://id.example.org")

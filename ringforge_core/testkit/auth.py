"""The contract of the port Auth as a test suite: an adapter proves itself by a subclass and two fixtures.

    class TestGitLab(AuthContract):
        @pytest.fixture
        async def auth(self, gitlab):
            auth = GitLabAuth(...)
            await auth.start()
            yield auth
            await auth.stop()

        @pytest.fixture
        def person(self, gitlab):
            return gitlab.signs_in_as("ada@example.org")

`person` plays the human: it gets what `begin` returned, does what the browser or the mail asks for, and returns the
parameters that the browser comes back with. Needs pytest and pytest-asyncio in auto mode.
"""

# ruff: noqa: S101 — asserts are what a test suite is made of

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import msgspec
import pytest

from ringforge_core.errors import Unauthenticated
from ringforge_core.ports.auth import Answer, Attempt, Auth, Begun

CALLBACK = "http://127.0.0.1:4000/auth/contract/callback"
EMAIL = "ada@example.org"

Person = Callable[[Begun], Awaitable[Mapping[str, str]]]


def new_attempt(callback_url: str = CALLBACK) -> Attempt:
    return Attempt(state=secrets.token_urlsafe(32), callback_url=callback_url, email=EMAIL)


def answer(parameters: Mapping[str, str], begun: Begun, callback_url: str = CALLBACK) -> Answer:
    return Answer(parameters=parameters, callback_url=callback_url, kept=begun.kept)


class AuthContract:
    """Inherit, and provide the fixtures `auth` and `person`; override `callback_url` when the provider knows only one."""

    @pytest.fixture
    def callback_url(self) -> str:
        return CALLBACK

    # --- a person signs in --------------------------------------------------------------------------------------

    async def test_a_person_is_known_by_provider_and_subject(self, auth: Auth, person: Person, callback_url: str) -> None:
        begun = await auth.begin(new_attempt(callback_url))
        identity = await auth.complete(answer(await person(begun), begun, callback_url))
        assert identity.provider == auth.provider
        assert identity.subject
        assert identity.email == EMAIL
        assert identity.email_verified is True

    async def test_the_same_person_has_the_same_subject_each_time(
        self, auth: Auth, person: Person, callback_url: str
    ) -> None:
        subjects = set()
        for _ in range(2):
            begun = await auth.begin(new_attempt(callback_url))
            subjects.add((await auth.complete(answer(await person(begun), begun, callback_url))).subject)
        assert len(subjects) == 1

    # --- how it begins ------------------------------------------------------------------------------------------

    async def test_it_begins_with_a_redirect_or_a_mail(self, auth: Auth, callback_url: str) -> None:
        begun = await auth.begin(new_attempt(callback_url))
        assert (begun.redirect_url is None) != (begun.mail is None)
        assert (begun.mail is not None) == auth.by_mail
        if begun.redirect_url is not None:
            assert urlsplit(begun.redirect_url).scheme in ("https", "http")
        if begun.mail is not None:
            assert begun.mail.to == EMAIL
            assert "\n" not in begun.mail.subject

    async def test_the_answer_carries_the_state(self, auth: Auth, person: Person, callback_url: str) -> None:
        attempt = new_attempt(callback_url)
        parameters = await person(await auth.begin(attempt))
        assert attempt.state in (parameters.get("state"), parameters.get("RelayState"))

    async def test_what_is_kept_is_text_and_new_each_time(self, auth: Auth, callback_url: str) -> None:
        first, second = [(await auth.begin(new_attempt(callback_url))).kept for _ in range(2)]
        assert msgspec.json.decode(msgspec.json.encode(first), type=dict[str, str]) == dict(first)
        assert not first or dict(first) != dict(second)

    async def test_what_is_kept_does_not_reach_the_browser(self, auth: Auth, callback_url: str) -> None:
        begun = await auth.begin(new_attempt(callback_url))
        secret = [value for key, value in begun.kept.items() if key in ("verifier", "code_verifier", "secret", "token")]
        assert [value for value in secret if value in (begun.redirect_url or "")] == []

    async def test_what_a_provider_must_know_names_where_the_browser_comes_back(
        self, auth: Auth, callback_url: str
    ) -> None:
        document = await auth.metadata(callback_url)
        if document is not None:
            assert callback_url in document.text
            assert "/" in document.media_type

    async def test_a_provider_of_one_tenant_says_so_from_the_beginning(
        self, auth: Auth, person: Person, callback_url: str
    ) -> None:
        begun = await auth.begin(new_attempt(callback_url))
        assert (await auth.complete(answer(await person(begun), begun, callback_url))).tenant == begun.tenant

    # --- what proves nothing ------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "parameters",
        [{}, {"error": "access_denied"}, {"code": "made-up", "token": "made-up", "SAMLResponse": "made-up"}],
        ids=["nothing", "declined", "made up"],
    )
    async def test_a_made_up_answer_is_refused(self, auth: Auth, callback_url: str, parameters: dict[str, str]) -> None:
        attempt = new_attempt(callback_url)
        begun = await auth.begin(attempt)
        with pytest.raises(Unauthenticated):
            await auth.complete(answer({"state": attempt.state, **parameters}, begun, callback_url))

    async def test_the_answer_to_another_attempt_is_refused(self, auth: Auth, person: Person, callback_url: str) -> None:
        mine, other = [await auth.begin(new_attempt(callback_url)) for _ in range(2)]
        with pytest.raises(Unauthenticated):
            await auth.complete(answer(await person(other), mine, callback_url))

    async def test_an_answer_without_what_was_kept_is_refused(self, auth: Auth, person: Person, callback_url: str) -> None:
        begun = await auth.begin(new_attempt(callback_url))
        parameters = await person(begun)
        with pytest.raises(Unauthenticated):
            await auth.complete(Answer(parameters=parameters, callback_url=callback_url, kept={}))

    # --- its life -----------------------------------------------------------------------------------------------

    async def test_a_second_stop_does_nothing(self, auth: Auth) -> None:
        await auth.stop()
        await auth.stop()

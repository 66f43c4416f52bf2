"""The magic link is an Auth, and its link is nobody's who did not get the mail."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qsl, urlsplit

import pytest
from ringforge_auth_magic_link import MagicLink

from ringforge_core.errors import InvalidPayload
from ringforge_core.ports.auth import Attempt, Begun
from ringforge_core.testkit.auth import AuthContract, Person, new_attempt


async def read_the_mail(begun: Begun) -> Mapping[str, str]:
    assert begun.mail is not None
    link = re.search(r"https?://\S+", begun.mail.text)
    assert link is not None
    return dict(parse_qsl(urlsplit(link[0]).query))


class TestMagicLink(AuthContract):
    @pytest.fixture
    async def auth(self) -> AsyncIterator[MagicLink]:
        auth = MagicLink()
        await auth.start()
        yield auth
        await auth.stop()

    @pytest.fixture
    def person(self) -> Person:
        return read_the_mail


async def test_without_an_address_there_is_nothing_to_begin() -> None:
    with pytest.raises(InvalidPayload):
        await MagicLink().begin(Attempt(state="s", callback_url="http://127.0.0.1/cb"))


async def test_what_is_kept_does_not_hold_the_links_secret() -> None:
    begun = await MagicLink().begin(new_attempt())
    token = (await read_the_mail(begun))["token"]
    assert token not in begun.kept.values()

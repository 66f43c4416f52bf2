"""The encryption key belongs to the data: a hub with another one does not start, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest
import sqlalchemy as sa
from accounts_browser import PASSWORD, People, hidden_fields, problem, running_people
from ringforge_accounts.sealing import KEY_FILE, Sealer
from ringforge_accounts.sealing_check import forget_sealed
from ringforge_accounts.tables import users

from ringforge_core.errors import ConfigError
from ringforge_core.plugin import Secret

ADA = "ada@example.org"


async def enrol(people: People) -> str:
    """Ada with a second factor; its secret."""
    ada = await people.newcomer(ADA)
    page = await ada.submit("/account/second-factor/begin", page="/account/second-factor")
    secret = page.text.partition('class="key"><code>')[2].partition("<")[0]
    fields = hidden_fields(page, "/account/second-factor")
    answer = await ada.post("/account/second-factor", **fields, code=pyotp.TOTP(secret).now())
    assert "Recovery codes" in answer.text
    return secret


def sealed_under(key: str, user_id: str, sealed: bytes) -> bool:
    return Sealer([Secret(key)]).is_current(sealed, for_=f"totp {user_id}")


async def test_a_hub_with_another_key_does_not_start_and_a_replaced_one_goes_in_two_steps(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="self_serve", encryption_key="first") as people:
        secret = await enrol(people)
    with pytest.raises(ConfigError, match="encryption_key") as refused:
        async with running_people(tmp_path, encryption_key="second"):
            pass
    assert "old_encryption_keys" in refused.value.fix

    async with running_people(tmp_path, encryption_key="second", old_encryption_keys='["first"]') as people:
        query = sa.select(users.c.id, users.c.totp_secret)
        row = await people.hub.hub.store.read(lambda connection: connection.execute(query).one())
        assert sealed_under("second", row.id, row.totp_secret)
    async with running_people(tmp_path, encryption_key="second") as people:
        browser = people.browser()
        await browser.submit("/auth/login", email=ADA, password=PASSWORD)
        wrong = await browser.submit("/auth/second-factor", code="000000")
        assert "not right" in problem(wrong)  # the secret was opened, to compare
        assert len(secret) == 32


async def test_who_lost_the_key_starts_without_what_it_sealed(tmp_path: Path) -> None:
    async with running_people(tmp_path, registration="self_serve") as people:
        await enrol(people)
        store = people.hub.hub.store
        (tmp_path / KEY_FILE).unlink()
        assert await store.apply(forget_sealed, None) == 1
    async with running_people(tmp_path) as people:
        assert await (await people.signed_in(ADA)).signed_in

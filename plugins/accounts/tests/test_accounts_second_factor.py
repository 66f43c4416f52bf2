"""A second factor: set up, asked for, used once, limited, and a way back in without the phone."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pyotp
import pytest
from accounts_browser import PASSWORD, Browser, People, hidden_fields, problem, running_people
from ringforge_accounts import second_factor

from ringforge_core.plugin import now

EMAIL = "ada@example.org"
STEP = 30


class Clock:
    """The hub's clock, as far as codes go; nobody waits half a minute for the next one."""

    def __init__(self) -> None:
        self.at = now()

    def tick(self) -> None:
        self.at += timedelta(seconds=STEP)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(second_factor, "now", lambda: clock.at)
    return clock


class Phone:
    def __init__(self, secret: str, clock: Clock) -> None:
        self.totp = pyotp.TOTP(secret)
        self._clock = clock

    def code(self) -> str:
        """The next code, once it is shown."""
        self._clock.tick()
        return str(self.totp.at(self._clock.at))


async def set_up(ada: Browser, clock: Clock) -> tuple[Phone, list[str]]:
    """Turn it on; returns the phone and the recovery codes."""
    page = await ada.submit("/account/second-factor/begin", page="/account/second-factor")
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
    assert found is not None
    phone = Phone(found[1], clock)
    answer = await ada.post("/account/second-factor", **hidden_fields(page, "/account/second-factor"), code=phone.code())
    codes = re.findall(r"<li><code>([a-z2-7-]+)</code>", answer.text)
    assert len(codes) == 10
    return phone, codes


async def half_signed_in(people: People) -> Browser:
    """The password was good."""
    browser = people.browser()
    answer = await browser.submit("/auth/login", email=EMAIL, password=PASSWORD)
    assert answer.headers["location"].startswith("/auth/second-factor")
    assert not await browser.signed_in
    return browser


async def enter(browser: Browser, code: str) -> httpx.Response:
    return await browser.submit("/auth/second-factor", code=code)


async def test_it_is_asked_for_after_the_password_and_lets_in(people: People, clock: Clock) -> None:
    ada = await people.newcomer(EMAIL)
    phone, _ = await set_up(ada, clock)
    assert await ada.signed_in
    browser = await half_signed_in(people)
    assert (await enter(browser, phone.code())).status_code == 303
    assert await browser.signed_in


async def test_the_picture_holds_what_the_app_needs_and_is_made_here(people: People, clock: Clock) -> None:
    ada = await people.newcomer(EMAIL)
    page = await ada.submit("/account/second-factor/begin", page="/account/second-factor")
    assert "<svg" in page.text
    assert "style=" not in page.text


async def test_turning_it_on_ends_other_sessions(people: People, clock: Clock) -> None:
    ada, other = await people.newcomer(EMAIL), await people.signed_in(EMAIL)
    await set_up(ada, clock)
    assert await ada.signed_in
    assert not await other.signed_in


async def test_totp_reuse_a_code_opens_once(people: People, clock: Clock) -> None:
    phone, _ = await set_up(await people.newcomer(EMAIL), clock)
    code = phone.code()
    assert (await enter(await half_signed_in(people), code)).status_code == 303
    again = await half_signed_in(people)
    assert "used already" in problem(await enter(again, code))
    assert not await again.signed_in


async def test_totp_reuse_of_two_at_once_one_gets_in(people: People, clock: Clock) -> None:
    phone, _ = await set_up(await people.newcomer(EMAIL), clock)
    first, second = await half_signed_in(people), await half_signed_in(people)
    code = phone.code()
    statuses = [answer.status_code for answer in await asyncio.gather(enter(first, code), enter(second, code))]
    assert sorted(statuses) == [303, 400]


async def test_totp_reuse_an_earlier_code_than_the_last_one_opens_nothing(people: People, clock: Clock) -> None:
    phone, _ = await set_up(await people.newcomer(EMAIL), clock)
    earlier, later = phone.code(), phone.code()
    assert (await enter(await half_signed_in(people), later)).status_code == 303
    assert (await enter(await half_signed_in(people), earlier)).status_code == 400


async def test_totp_brute_force_is_stopped_whichever_sign_in_it_is_tried_from(tmp_path: Path, clock: Clock) -> None:
    async with running_people(tmp_path, registration="self_serve", tries_per_account="6") as people:
        phone, _ = await set_up(await people.newcomer(EMAIL), clock)
        statuses = []
        for _ in range(3):
            browser = await half_signed_in(people)
            statuses += [(await enter(browser, f"{n:06}")).status_code for n in range(3)]
        assert statuses[-1] == 429
        assert statuses.count(400) <= 6
        assert (await enter(browser, phone.code())).status_code == 429


async def test_a_recovery_code_opens_once_without_the_phone(people: People, clock: Clock) -> None:
    _, codes = await set_up(await people.newcomer(EMAIL), clock)
    browser = await half_signed_in(people)
    assert (await enter(browser, codes[0].upper().replace("-", " "))).status_code == 303
    assert "9 recovery codes" in (await browser.open("/account")).text
    assert (await enter(await half_signed_in(people), codes[0])).status_code == 400


async def test_the_ticket_of_the_first_factor_opens_nothing_else(people: People, clock: Clock) -> None:
    await set_up(await people.newcomer(EMAIL), clock)
    browser = await half_signed_in(people)
    ticket = browser.client.cookies.get("_hub_ticket") or ""
    thief = people.browser()
    thief.client.cookies.set("_hub_key", ticket)
    assert not await thief.signed_in


async def test_turning_it_off_takes_a_code(people: People, clock: Clock) -> None:
    ada = await people.newcomer(EMAIL)
    phone, _ = await set_up(ada, clock)
    refused = await ada.submit("/account/second-factor/off", page="/account", code="000000")
    assert refused.status_code == 400
    assert (await ada.submit("/account/second-factor/off", page="/account", code=phone.code())).status_code == 303
    assert await (await people.signed_in(EMAIL)).signed_in


async def test_a_password_reset_does_not_go_around_it(people: People, clock: Clock) -> None:
    await set_up(await people.newcomer(EMAIL), clock)
    thief = people.browser()
    await thief.submit("/auth/forgot", email=EMAIL)
    path = await people.mailbox.link(EMAIL, 2)
    await thief.submit("/auth/reset", page=path, password="seven other bridges over copper")
    answer = await thief.submit("/auth/login", email=EMAIL, password="seven other bridges over copper")
    assert answer.headers["location"].startswith("/auth/second-factor")


async def test_the_secret_is_not_at_rest_and_opens_only_under_its_key(tmp_path: Path, clock: Clock) -> None:
    async with running_people(tmp_path, registration="self_serve", encryption_key="the first key") as people:
        phone, _ = await set_up(await people.newcomer(EMAIL), clock)
        at_rest = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))  # noqa: ASYNC240 — a test may block
        assert phone.totp.secret.encode() not in at_rest
    settings = {"registration": "self_serve", "encryption_key": "the second key"}
    async with running_people(tmp_path, **settings, old_encryption_keys='["the first key"]') as people:
        assert (await enter(await half_signed_in(people), phone.code())).status_code == 303


async def test_the_key_file_is_for_its_owner_only(people: People, tmp_path: Path) -> None:
    assert (tmp_path / "accounts.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "' OR 1=1 --"])
async def test_what_is_no_code_is_refused(people: People, clock: Clock, code: str) -> None:
    await set_up(await people.newcomer(EMAIL), clock)
    assert (await enter(await half_signed_in(people), code)).status_code == 400


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, SHA-1, cut to six digits: the code of 59 seconds after 1970 is of the second step."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert pyotp.TOTP(secret).generate_otp(59 // STEP) == "287082"
    assert second_factor.STEP.total_seconds() == STEP

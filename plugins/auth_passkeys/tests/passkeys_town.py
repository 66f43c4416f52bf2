"""What the tests of passkeys use: a hub with people, their mail, and browsers without a script."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from software_authenticator import Authenticator

from ringforge_core.plugin.web import entrance_of
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.hub_process import free_port

PASSWORD = "copper lantern under seven bridges"
DEADLINE = 20.0
CAPABILITIES = "presence,activity,replay,memory,inbox,direct,groups,accounts,auth_passkeys,dashboard"


class Mailbox:
    """Everybody's mail, as an SMTP server received it."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, str]] = []
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        self._loop.call_soon_threadsafe(self._take, (str(message["To"]), str(message["Subject"]), message.get_content()))
        return "250 taken"

    def _take(self, mail: tuple[str, str, str]) -> None:
        self.received.append(mail)
        self._more.set()

    async def wait(self, address: str, subject: str) -> str:
        """The text of the first mail to this address whose subject has these words."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for to, about, text in self.received:
                    if to == address and subject in about:
                        return text
                self._more.clear()
                await self._more.wait()


class Visitor:
    """A browser: it keeps cookies, reads forms, and lets an authenticator answer."""

    def __init__(self, url: str, origin: str, security: str) -> None:
        self.origin = origin
        self.security = security
        self._token = ""
        headers = {"accept": "text/html", "host": urlsplit(self.origin).netloc}
        # Without authorities to read from the disk, which takes longer than a sign-in; the hub is on http.
        self.client = httpx.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE, verify=False)  # noqa: S501 — as said

    async def open(self, path: str) -> httpx.Response:
        return await self.client.get(path, follow_redirects=True)

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.client.post(path, data=fields, headers={"origin": self.origin, "sec-fetch-site": "same-origin"})

    async def submit(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Send the page's form for `action`, filled in."""
        return await self.post(action, **{**hidden((await self.open(page)).text, action), **fields})

    async def challenge(self, page: str, path: str) -> httpx.Response:
        """As the script asks for it, with the token of the page's form."""
        self._token = token = hidden((await self.open(page)).text, path)["_csrf"]
        headers = {
            "origin": self.origin, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "x-csrf-token": token,
            "accept": "application/json",
        }  # fmt: skip
        return await self.client.post(f"{path}/challenge", headers=headers)

    async def asked_to_sign_in(self) -> dict[str, Any]:
        answer = await self.challenge("/auth/login", "/passkeys/sign-in")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def asked_to_add(self) -> dict[str, Any]:
        answer = await self.challenge("/passkeys/add", "/passkeys/add")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def answer(self, said: str, **fields: str) -> httpx.Response:
        """The form of the sign-in page that the challenge was asked for in, or of one that is opened now."""
        token = self._token or hidden((await self.open("/auth/login")).text, "/passkeys/sign-in")["_csrf"]
        return await self.post("/passkeys/sign-in", _csrf=token, answer=said, **fields)

    async def add(self, authenticator: Authenticator, name: str = "Blue key") -> None:
        said = authenticator.create(await self.asked_to_add())
        answer = await self.submit("/passkeys/add", "/passkeys/add", answer=said, name=name)
        assert answer.status_code == 303, problem(answer)

    async def sign_in_with(self, authenticator: Authenticator) -> httpx.Response:
        return await self.answer(authenticator.get(await self.asked_to_sign_in()))

    async def sign_in(self, email: str) -> httpx.Response:
        return await self.submit("/auth/login", "/auth/login", email=email, password=PASSWORD)

    async def passkeys(self) -> list[tuple[str, str]]:
        """The id and name of each, as the security page lists them."""
        page = (await self.open(self.security)).text
        return [
            (key, unescape(name))
            for key, name in re.findall(r'href="/passkeys/([0-9a-f-]{36})" aria-label="Rename ([^"]+)"', page)
        ]

    @property
    def cookie(self) -> str:
        return self.client.cookies.get("_hub_key") or ""

    @property
    async def is_signed_in(self) -> bool:
        return (await self.client.get(self.security)).status_code == 200


def hidden(page: str, action: str) -> dict[str, str]:
    """What the form that is sent to `action` holds already."""
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        if f'action="{action}"' in unescape(form):
            return {n: unescape(v) for n, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)}
    raise AssertionError(f"no form for {action}: {page[:2000]}")


def problem(answer: httpx.Response) -> str:
    """The words of the notice about what is wrong."""
    found = re.search(r'role="alert"><p>(.*?)</p>', answer.text, re.DOTALL)
    return unescape(found[1]) if found else f"{answer.status_code} {answer.headers.get('location')} {answer.text[:500]}"


class Town:
    """A running hub whose people are at `url`."""

    def __init__(self, hub: TestHub, mailbox: Mailbox, url: str | None = None) -> None:
        self.hub = hub
        self.mailbox = mailbox
        self.url = url or hub.http_url.replace("127.0.0.1", "localhost")
        self._visitors: list[Visitor] = []

    def visitor(self, url: str | None = None) -> Visitor:
        """Who calls the hub at this name."""
        visitor = Visitor(self.hub.http_url, url or self.url, entrance_of(self.hub.hub).security_path)
        self._visitors.append(visitor)
        return visitor

    async def newcomer(self, name: str) -> Visitor:
        """Registers as `name`@example.org, in a tenant of their own, and is signed in."""
        visitor, email = self.visitor(), f"{name}@example.org"
        answer = await visitor.submit("/auth/register", "/auth/register", name=name, email=email, password=PASSWORD)
        assert answer.status_code == 200, problem(answer)
        link = re.search(r"/auth/verify\S+", await self.mailbox.wait(email, "Confirm"))
        assert link is not None
        answer = await visitor.submit(link[0], "/auth/verify", password=PASSWORD)
        assert answer.status_code == 303, problem(answer)
        return visitor

    async def with_passkey(self, name: str, **how: Any) -> tuple[Visitor, Authenticator]:
        person, authenticator = await self.newcomer(name), Authenticator(self.url, **how)
        await person.add(authenticator)
        return person, authenticator

    async def who(self, visitor: Visitor) -> str | None:
        """The e-mail of who is signed in there."""
        if not await visitor.is_signed_in:
            return None
        rows = await self.read(
            "SELECT email FROM users JOIN user_sessions ON user_id = users.id WHERE token_digest = :token",
            token=hashlib.sha256(visitor.cookie.encode()).digest(),
        )
        return str(rows[0]["email"])

    async def run(self, statement: str) -> None:
        """Change what lies in the database."""

        def write(tx: Any, commands: Any) -> list[None]:
            tx.execute(sa.text(statement))
            return [None]

        await self.hub.hub.store.apply(write, None)

    async def audited(self, action: str) -> list[dict[str, Any]]:
        return await self.read("SELECT * FROM audit_logs WHERE action = :action", action=action)

    async def read(self, query: str, **values: Any) -> list[dict[str, Any]]:
        statement = sa.text(query).bindparams(**values)
        rows = await self.hub.hub.store.read(lambda connection: connection.execute(statement).mappings().fetchall())
        return [dict(row) for row in rows]

    async def close(self) -> None:
        for visitor in self._visitors:
            await visitor.client.aclose()


@asynccontextmanager
async def smtp_server() -> AsyncIterator[tuple[Mailbox, str]]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield mailbox, f"127.0.0.1:{controller.port}"
    finally:
        controller.stop()


@asynccontextmanager
async def running_town(directory: Path, *, url: str | None = None, **settings: str) -> AsyncIterator[Town]:
    """With `url` the hub is told that this is its public address."""
    async with smtp_server() as (mailbox, address), running_node(directory, mailbox, address, url=url, **settings) as town:
        yield town


@asynccontextmanager
async def running_node(
    directory: Path, mailbox: Mailbox, address: str, *, url: str | None = None, **settings: str
) -> AsyncIterator[Town]:
    """One of several hubs, which all send their mail to the server at `address`."""
    given = {
        "RINGFORGE__CAPABILITIES__USE": CAPABILITIES,
        "RINGFORGE__CAPABILITIES__ACCOUNTS__REGISTRATION": "self_serve",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__TRIES_PER_ADDRESS": "10000",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__ENCRYPTION_KEY": "a key that all hubs of a test have",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__SERVER": address,
        "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__ENCRYPTION": "none",
        **({"RINGFORGE__HUB__PUBLIC_URL": url} if url is not None else {}),
        **settings,
    }
    async with running_hub(directory, settings=given) as hub:
        town = Town(hub, mailbox, url)
        try:
            yield town
        finally:
            await town.close()

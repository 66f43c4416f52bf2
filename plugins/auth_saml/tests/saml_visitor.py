"""A hub whose tenants have identity providers, and a browser without a script that goes to them."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import sqlalchemy as sa
from lxml import etree
from saml_forgery import posted, response, with_signed_assertion
from saml_peers import ENTITY_ID, KeyPair

from ringforge_core.ports.store import Transaction
from ringforge_core.testkit.hub import TestHub, running_hub

ACME, GLOBEX, SMALL = "https://acme.example/idp", "https://globex.example/idp", "https://small.example/idp"
KEYS = {issuer: KeyPair(issuer) for issuer in (ACME, GLOBEX, SMALL)}
CALLBACK = "/auth/saml/callback"


def settings(**real: str) -> dict[str, str]:
    """Three tenants with providers whose keys the tests have; `real` is the metadata_url of one more, for acme too."""
    given = {
        "RINGFORGE__CAPABILITIES__USE": "presence, accounts",
        "RINGFORGE__CAPABILITIES__ACCOUNTS__TRIES_PER_ADDRESS": "1000",
        "RINGFORGE__AUTH__USE": "saml",
        "RINGFORGE__AUTH__SAML__ENTITY_ID": ENTITY_ID,
    }
    for name, issuer in (("acme", ACME), ("globex", GLOBEX), ("small", SMALL)):
        table = f"RINGFORGE__AUTH__SAML__PROVIDERS__{name.upper()}"
        given |= {
            f"{table}__TENANT": name, f"{table}__DOMAINS": f"{name}.example", f"{table}__ENTITY_ID": issuer,
            f"{table}__SSO_URL": f"{issuer}/sso", f"{table}__CERTIFICATES": f'["""{KEYS[issuer].certificate_pem}"""]',
        }  # fmt: skip
    if real:
        table = "RINGFORGE__AUTH__SAML__PROVIDERS__REAL"
        given |= {f"{table}__TENANT": "acme", f"{table}__DOMAINS": "example.org", f"{table}__METADATA_URL": real["url"]}
    return given


class SamlHub:
    """`public_url` is where providers send people, if that is not the hub itself."""

    def __init__(self, hub: TestHub, public_url: str | None = None) -> None:
        self.hub = hub
        self.url = hub.http_url
        self.callback = f"{public_url or hub.http_url}{CALLBACK}"
        self.visitors: list[Visitor] = []

    def visitor(self) -> Visitor:
        self.visitors.append(Visitor(self))
        return self.visitors[-1]

    async def change(self, text: str, **values: str) -> None:
        """Change rows of the hub's database."""
        await self.hub.hub.store.apply(_execute, (text, values))

    async def join(self, email: str, tenant: str) -> None:
        """Make them a member of another tenant, as if they had been one for ever."""
        text = (
            "INSERT INTO memberships (tenant_id, user_id, role, inserted_at) SELECT t.id, u.id, 'viewer', 1"
            " FROM tenants t, users u WHERE t.handle = :tenant AND u.email = :email"
        )
        await self.change(text, tenant=tenant, email=email)

    async def rows(self, text: str) -> list[Any]:
        return list(await self.hub.hub.store.read(lambda connection: connection.execute(sa.text(text)).fetchall()))

    async def last_session(self) -> tuple[str, str, str]:
        """Who signed in last, into which tenant, and by what."""
        query = (
            "SELECT u.email, t.handle, s.method FROM user_sessions s JOIN users u ON u.id = s.user_id"
            " JOIN tenants t ON t.id = s.tenant_id ORDER BY s.inserted_at DESC LIMIT 1"
        )
        email, tenant, method = (await self.rows(query))[0]
        return email, tenant, method

    def answer(self, request_id: str, issuer: str = ACME, **other: str) -> str:
        """What the provider of that tenant would post."""
        mine = {
            "issuer": issuer, "response_issuer": issuer, "destination": self.callback, "recipient": self.callback,
            "email": "ada@acme.example",
        }  # fmt: skip
        return posted(with_signed_assertion(response(request_id, **{**mine, **other}), KEYS[issuer]))


class Visitor:
    """Keeps cookies, as the browser of one person does."""

    def __init__(self, hub: SamlHub) -> None:
        self._hub = hub
        self.client = new_client(hub.url, accept="text/html")

    async def submit(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Send a form of ours, with the token that the page shows."""
        token = re.search(r'name="_csrf" value="([^"]+)"', (await self.client.get(page)).text)
        assert token is not None
        headers = {"origin": self._hub.url, "sec-fetch-site": "same-origin"}
        return await self.client.post(path, data={"_csrf": token[1], **fields}, headers=headers)

    async def ask(self, email: str) -> httpx.Response:
        """Type the e-mail on the page of the sign-in."""
        return await self.submit("/auth/login", "/auth/saml", email=email)

    async def begin(self, email: str = "ada@acme.example") -> tuple[str, str]:
        """On to the provider; returns the state and the ID of the request."""
        return asked(await self.ask(email))

    async def post(self, text: str, state: str) -> str:
        """The provider's page posts: without cookies, from another site. Returns where the browser is sent on to."""
        headers = {"origin": "https://acme.example", "sec-fetch-site": "cross-site", "accept": "text/html"}
        async with new_client(self._hub.url, **headers) as page:
            answer = await page.post(CALLBACK, data={"SAMLResponse": text, "RelayState": state})
        assert answer.status_code == 303, answer.text
        assert "set-cookie" not in answer.headers, "whoever posts changes nothing in the browser"
        return answer.headers["location"]

    async def come_back(self, text: str, state: str) -> httpx.Response:
        """The whole way from the provider."""
        return await self.client.get(await self.post(text, state))

    @property
    async def is_signed_in(self) -> bool:
        return (await self.client.get("/auth/login")).status_code == 303


def new_client(url: str, **headers: str) -> httpx.AsyncClient:
    """Without authorities to read from the disk, which takes longer than a sign-in; the hub is on http."""
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=20, verify=False)  # noqa: S501 — as said


def asked(page: httpx.Response) -> tuple[str, str]:
    """The state and the ID of the request that the page leads to the provider with."""
    target = re.search(r'content="0; url=([^"]+)"', page.text)
    assert target is not None, problem(page)
    query = dict(parse_qsl(urlsplit(unescape(target[1])).query))
    request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"]), -zlib.MAX_WBITS))
    return query["RelayState"], str(request.get("ID"))


def problem(answer: httpx.Response) -> str:
    """The words of the notice about what is wrong."""
    found = re.search(r'role="alert"><p>(.*?)</p>', answer.text, re.DOTALL)
    assert found is not None, answer.text
    return unescape(found[1])


@asynccontextmanager
async def running_saml_hub(
    directory: Path, *, others: Mapping[str, str] | None = None, public_url: str | None = None, **real: str
) -> AsyncIterator[SamlHub]:
    """`others` are further settings."""
    given = {**settings(**real), **(others or {})}
    if public_url is not None:
        given["RINGFORGE__HUB__PUBLIC_URL"] = public_url
    async with running_hub(directory, settings=given) as hub:
        running = SamlHub(hub, public_url)
        for name in ("acme", "globex", "small"):
            await hub.tenant(name)
        await running.change("UPDATE tenants SET plan = 'scale' WHERE handle = 'acme'")
        await running.change("UPDATE tenants SET plan = 'pro' WHERE handle = 'small'")
        try:
            yield running
        finally:
            for visitor in running.visitors:
                await visitor.client.aclose()


def _execute(tx: Transaction, commands: Any) -> list[None]:
    for text, values in commands:
        tx.execute(sa.text(text), values)
    return [None] * len(commands)

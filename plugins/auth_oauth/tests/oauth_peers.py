"""The providers that the adapters meet: npm's certified oidc-provider, and a GitHub that does what a sign-in needs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import httpx
import pytest
from litestar import Litestar, Request, Response, get, post
from litestar.response import Redirect

from ringforge_core.ports.auth import Begun
from ringforge_core.testkit.auth import CALLBACK
from ringforge_core.testkit.hub_process import free_port
from ringforge_core.testkit.served import served

PEER = Path(__file__).resolve().parents[3] / "tests" / "oidc_peer"
SECRET = "a secret between the two"
DEADLINE = 20.0


@asynccontextmanager
async def oidc_provider(port: int | None = None, callback: str = CALLBACK) -> AsyncIterator[str]:
    """The issuer of a running provider, whose one application is called back there."""
    node = shutil.which("node")
    if node is None or not (PEER / "node_modules" / "oidc-provider").exists():
        pytest.skip("node, or the npm packages of tests/oidc_peer, are missing: npm ci --prefix tests/oidc_peer")
    port = port or free_port()
    process = await asyncio.create_subprocess_exec(
        node, "server.mjs", str(port), callback, cwd=PEER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            assert await process.stdout.readline() == b"ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Person:
    """Somebody with a browser at the provider, who is this one there."""

    def __init__(self, name: str = "ada@example.org") -> None:
        self._name = name

    async def __call__(self, begun: Begun) -> Mapping[str, str]:
        """Go where the hub sends them, until they are sent back; returns what they bring."""
        assert begun.redirect_url is not None
        url = begun.redirect_url
        async with httpx.AsyncClient(cookies={"person": quote(self._name)}, timeout=DEADLINE) as browser:
            while not url.startswith(CALLBACK):
                answer = await browser.get(url)
                assert answer.is_redirect, answer.text
                url = str(answer.url.join(answer.headers["location"]))
        return dict(parse_qsl(urlsplit(url).query))


class FakeGitHub:
    """Codes are good once, for the client, the callback and the verifier that they were made for, as GitHub's are."""

    def __init__(self) -> None:
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}

    def application(self) -> Litestar:
        @get("/login/oauth/authorize")
        async def authorize(request: Request[Any, Any, Any]) -> Redirect:
            asked = dict(request.query_params.items())
            person = httpx.Cookies({"person": request.cookies["person"]})["person"]
            state = {"state": asked["state"]}
            if person == "declines":
                return Redirect(f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', **state})}")
            code = secrets.token_hex(10)
            self.codes[code] = {**asked, "person": person}
            return Redirect(f"{asked['redirect_uri']}?{urlencode({'code': code, **state})}")

        @post("/login/oauth/access_token", status_code=200)
        async def access_token(request: Request[Any, Any, Any]) -> dict[str, str]:
            form = dict((await request.form()).items())
            asked = self.codes.pop(str(form.get("code")), None)
            challenge = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
            is_right = (
                asked is not None
                and form.get("client_secret") == SECRET
                and form.get("redirect_uri") == asked["redirect_uri"]
                and base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == asked["code_challenge"]
            )
            if asked is None or not is_right:
                return {"error": "bad_verification_code"}
            token = f"gho_{secrets.token_hex(18)}"
            self.tokens[token] = asked["person"]
            return {"access_token": token, "token_type": "bearer", "scope": "read:user,user:email"}

        @get("/api/user")
        async def user(request: Request[Any, Any, Any]) -> Response[Any]:
            person = self._person(request)
            return Response({"id": 1000 + len(person), "login": person.partition("@")[0], "name": None})

        @get("/api/user/emails")
        async def emails(request: Request[Any, Any, Any]) -> Response[Any]:
            person = self._person(request)
            email = person.removeprefix("unverified:")
            other = {"email": "other@example.org", "primary": False, "verified": True}
            return Response([other, {"email": email, "primary": True, "verified": email == person}])

        return Litestar([authorize, access_token, user, emails], openapi_config=None)

    def _person(self, request: Request[Any, Any, Any]) -> str:
        return unquote(self.tokens[request.headers["authorization"].removeprefix("Bearer ")])


@asynccontextmanager
async def fake_github() -> AsyncIterator[str]:
    async with served(FakeGitHub().application()) as url:
        yield url

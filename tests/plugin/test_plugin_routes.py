"""What a capability gives besides events: routes beside core's, guarded by role, with answers for browsers and programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from throwaway_plugins import PluginDirectory

from ringforge_core.errors import PluginError
from ringforge_core.plugin.web import csrf_token, return_path
from ringforge_core.testkit.hub import running_hub

DESK = '''
    from litestar import get, post
    from ringforge_core.plugin import Capability, hookimpl, now
    from ringforge_core.plugin.web import Membership, Person, SignedIn, browser_routes, csrf_token

    class Desk(Capability):
        """Signs in whoever brings a cookie that names a role."""
        name = "desk"
        sign_in_path = "/sign-in"
        sign_out_path = "/sign-out"
        switch_path = "/switch"

        async def signed_in(self, connection):
            cookie = connection.cookies.get("_hub_key")
            if not cookie:
                return None
            current = Membership("tenant-1", "Acme", cookie)
            return SignedIn(
                user_id="u1", email="ada@example.org", name="Ada", session_id="s1", csrf_token=csrf_token(cookie),
                signed_in_at=now(), current=current, memberships=(current,),
            )

        def routes(self):
            @get("/api/desk", sync_to_thread=False)
            def public() -> dict[str, str]:
                return {"node": self.hub.node}

            @get("/", sync_to_thread=False, media_type="text/html")
            def page(person: Person) -> str:
                return f"<p>{person.email} {person.role}"

            @post("/", status_code=200, sync_to_thread=False)
            def change(person: Person) -> str:
                return "changed"

            @get("/owners", sync_to_thread=False)
            def owners() -> str:
                return "for owners"

            return [
                public,
                browser_routes(self.hub, "/desk", [page, change], role="member"),
                browser_routes(self.hub, "/vault", [owners], role="owner"),
            ]

    @hookimpl
    def ringforge_capability():
        return Desk
'''

INTRUDER = """
    from litestar import get
    from ringforge_core.plugin import Capability, hookimpl

    class Intruder(Capability):
        name = "intruder"

        def routes(self):
            @get(["{path}"], sync_to_thread=False)
            def mine() -> str:
                return "mine"
            return [mine]

    @hookimpl
    def ringforge_capability():
        return Intruder
"""

PAGE = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def desk(plugin_directory: PluginDirectory, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    plugin_directory.install("desk", {"capability.desk": "desk_plugin"}, DESK)
    settings = {"RINGFORGE__CAPABILITIES__USE": "presence,desk"}
    async with running_hub(tmp_path, settings=settings) as hub, httpx.AsyncClient(base_url=hub.http_url) as client:
        yield client


async def test_a_route_reaches_the_hub_through_its_capability(desk: httpx.AsyncClient) -> None:
    assert (await desk.get("/api/desk")).json() == {"node": "node-1"}


async def test_the_document_has_routes_for_programs_and_none_for_browsers(desk: httpx.AsyncClient) -> None:
    paths = (await desk.get("/api/schema/openapi.json")).json()["paths"]
    assert "/api/desk" in paths
    assert [path for path in paths if path.startswith(("/desk", "/vault"))] == []


async def test_a_browser_without_a_session_is_led_to_the_sign_in_and_back(desk: httpx.AsyncClient) -> None:
    answer = await desk.get("/desk?tab=1", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fdesk%3Ftab%3D1")


async def test_a_program_without_a_session_is_told_in_json(desk: httpx.AsyncClient) -> None:
    answer = await desk.get("/desk")
    assert (answer.status_code, answer.json()["error"]) == (401, "sign_in_required")


async def test_a_route_lets_in_its_role_and_higher_ones_only(desk: httpx.AsyncClient) -> None:
    seen = {
        role: [
            (await desk.get(path, headers={"cookie": f"_hub_key={role}"})).status_code
            for path in ("/desk", "/vault/owners")
        ]
        for role in ("viewer", "member", "admin", "owner")
    }
    assert seen == {"viewer": [403, 403], "member": [200, 403], "admin": [200, 403], "owner": [200, 200]}


async def test_an_error_is_a_page_for_a_browser_and_json_for_a_program(desk: httpx.AsyncClient) -> None:
    page = await desk.get("/desk", headers={**PAGE, "cookie": "_hub_key=viewer"})
    assert page.headers["content-type"].startswith("text/html")
    assert "needs the role member" in page.text
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert (await desk.get("/nowhere", headers=PAGE)).headers["content-type"].startswith("text/html")
    assert (await desk.get("/nowhere")).json()["error"] == "not_found"
    assert (await desk.get("/api/nowhere", headers=PAGE)).json()["error"] == "not_found"


async def test_what_is_in_the_path_of_an_error_is_not_markup(desk: httpx.AsyncClient) -> None:
    assert "<script>" not in (await desk.get("/<script>alert(1)</script>", headers=PAGE)).text


async def test_answers_to_browsers_carry_the_headers_that_keep_them_safe(desk: httpx.AsyncClient) -> None:
    for cookie in ("member", "viewer"):
        answer = await desk.get("/desk", headers={"cookie": f"_hub_key={cookie}"})
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-csrf-token": "guessed"},
        {"sec-fetch-site": "cross-site", "x-csrf-token": "right"},
        {"sec-fetch-site": "same-site", "x-csrf-token": "right"},
        {"origin": "https://evil.example", "x-csrf-token": "right"},
        {"origin": "null", "x-csrf-token": "right"},
    ],
    ids=["no token", "wrong token", "other site", "sibling site", "other origin", "no origin"],
)
async def test_csrf_a_change_from_another_site_is_refused(desk: httpx.AsyncClient, headers: dict[str, str]) -> None:
    sent = {name: csrf_token("member") if value == "right" else value for name, value in headers.items()}
    answer = await desk.post("/desk", headers={**sent, "cookie": "_hub_key=member"})
    assert (answer.status_code, answer.json()["error"]) == (403, "csrf")


async def test_a_form_with_the_sessions_token_is_taken(desk: httpx.AsyncClient) -> None:
    host = f"http://{desk.base_url.netloc.decode()}"
    headers = {"origin": host, "sec-fetch-site": "same-origin", "cookie": "_hub_key=member"}
    answer = await desk.post("/desk", data={"_csrf": csrf_token("member")}, headers=headers)
    assert (answer.status_code, answer.text) == (200, "changed")


@pytest.mark.parametrize(
    "path",
    ["/api/health", "/api/v1/agents", "/api/v1/keys/{other:str}", "/{rest:path}", "/api/{rest:path}", "/ws/websocket"],
)
async def test_no_route_of_a_plugin_is_in_the_way_of_cores(
    plugin_directory: PluginDirectory, tmp_path: Path, path: str
) -> None:
    plugin_directory.install("intruder", {"capability.intruder": "intruder_plugin"}, INTRUDER.replace("{path}", path))
    with pytest.raises(BaseExceptionGroup) as caught:
        async with running_hub(tmp_path, settings={"RINGFORGE__CAPABILITIES__USE": "presence,intruder"}):
            pass
    (refused,) = caught.value.exceptions
    assert isinstance(refused, PluginError)
    assert "intruder" in str(refused)
    assert "core" in str(refused)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example",
        "/ok\nlocation: x", "evil", "/" + "a" * 3000, "/\u2028",
    ],
)  # fmt: skip
def test_open_redirect_a_way_back_leads_nowhere_else(text: str | None) -> None:
    assert return_path(text) == "/"


def test_a_way_back_within_the_hub_is_kept() -> None:
    assert return_path("/desk?tab=1#x", default="/home") == "/desk?tab=1#x"

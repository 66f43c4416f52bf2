"""`Idempotency-Key` on every writing route of the document: done once, answered twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from admin_client import Admin
from admin_routes import Belongings, routes

from ringforge_core.testkit.hub import TestHub, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_writing_route_is_done_once_and_answered_again(hub: TestHub) -> None:
    writing = [route for route in await routes(hub) if route.method != "GET"]
    assert len(writing) > 12
    for number, route in enumerate(writing):
        async with Admin(hub, await hub.tenant(f"tenant-{number}")) as admin:
            belongings = Belongings(admin)
            await belongings.make()
            path = route.path.format(**belongings.ids_for(route))
            headers = {"Idempotency-Key": f"once-{number}"}
            first = await admin.http.request(route.method, path, json=route.body, headers=headers)
            assert first.is_success, f"{route.method} {path}: {first.text}"
            seen = await belongings.seen()
            again = await admin.http.request(route.method, path, json=route.body, headers=headers)
            assert (again.status_code, again.json()) == (first.status_code, first.json()), f"{route.method} {path}"
            assert await belongings.seen() == seen, f"{route.method} {path} was done twice"


async def test_a_key_that_is_made_once_is_the_same_key_in_both_answers(acme: Admin) -> None:
    first = await acme.ok("POST", "/keys", {"name": "ci"}, status=201, Idempotency_Key="k1")
    assert await acme.ok("POST", "/keys", {"name": "ci"}, status=201, Idempotency_Key="k1") == first
    error = await acme.refused("POST", "/keys", {"name": "cd"}, status=409, Idempotency_Key="k1")
    assert error["error"] == "idempotency_conflict"
    error = await acme.refused("POST", "/fleets", {"name": "ci"}, status=409, Idempotency_Key="k1")
    assert error["error"] == "idempotency_conflict"


async def test_fifty_racing_copies_make_one_key(acme: Admin) -> None:
    calls = [acme.ok("POST", "/keys", {}, status=201, Idempotency_Key="race") for _ in range(50)]
    made = await asyncio.gather(*calls)
    assert len({key["key"] for key in made}) == 1
    assert sum(key["id"] == made[0]["id"] for key in (await acme.ok("GET", "/keys"))["keys"]) == 1


async def test_the_text_of_a_key_is_not_in_the_database_and_yet_told_again_after_a_restart(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub, Admin(hub, hub.keys) as admin:
        keys = hub.keys
        first = await admin.ok("POST", "/keys", {}, status=201, Idempotency_Key="k1")
        stored = b"".join(file.read_bytes() for file in sorted(tmp_path.rglob("hub.db*")))  # noqa: ASYNC240 — a small file
        assert first["id"].encode() in stored
        assert first["key"].encode() not in stored
    async with running_hub(tmp_path) as hub, Admin(hub, keys) as admin:
        assert await admin.ok("POST", "/keys", {}, status=201, Idempotency_Key="k1") == first


@pytest.mark.parametrize("key", ["x" * 201, ""])
async def test_a_key_that_is_none_is_refused(acme: Admin, key: str) -> None:
    error = await acme.refused("POST", "/keys", {}, status=400, Idempotency_Key=key)
    assert error["error"] == "validation_failed"

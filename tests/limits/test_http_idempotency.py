"""`Idempotency-Key` over HTTP: once, with the same answer, and no secret in the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from litestar import Litestar, Router, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from quota_tenants import OpenStore

from ringforge_core.errors import Conflict, RingforgeError
from ringforge_core.http.bearer import bearer_token
from ringforge_core.http.errors import on_error
from ringforge_core.http.idempotency import once_of
from ringforge_core.identity.administrators import Administrator
from ringforge_core.identity.repeatable import apply_once
from ringforge_core.ports.store import Once, Store, Transaction
from ringforge_core.store import SqlStore
from ringforge_core.store.tables import idempotency

made: list[str] = []


class Order(msgspec.Struct):
    what: str


class Receipt(msgspec.Struct):
    number: int
    what: str
    secret: str


def place(tx: Transaction, commands: Sequence[Order]) -> list[Receipt | RingforgeError]:
    results: list[Receipt | RingforgeError] = []
    for command in commands:
        if command.what == "nothing" and not made:
            results.append(Conflict("There is nothing."))
        else:
            made.append(command.what)
            results.append(Receipt(len(made), command.what, f"hunter{len(made)}"))
    return results


@post("/orders")
async def order(data: JSONBody[Order], store: NamedDependency[Store], once: NamedDependency[Once | None]) -> Receipt:
    return await apply_once(store, place, data, Receipt, once=once)


@post("/others")
async def other(data: JSONBody[Order], store: NamedDependency[Store], once: NamedDependency[Once | None]) -> Receipt:
    return await apply_once(store, place, data, Receipt, once=once)


def let_in(connection: ASGIConnection[Any, Any, Any, Any], _: Any) -> None:
    key = bearer_token(connection.headers) or ""
    connection.state.administrator = Administrator("tenant", f"id of {key}", "free", None)


def client_of(store: SqlStore) -> httpx.AsyncClient:
    router = Router(
        "/api", route_handlers=[order, other], guards=[let_in],
        dependencies={
            "store": Provide(lambda: store, sync_to_thread=False),
            "once": Provide(once_of),
        },
    )  # fmt: skip
    app = Litestar([router], exception_handlers={RingforgeError: on_error}, openapi_config=None)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub")


@pytest.fixture
async def client(store: SqlStore) -> AsyncIterator[httpx.AsyncClient]:
    made.clear()
    async with client_of(store) as client:
        yield client


async def send(
    client: httpx.AsyncClient, what: str, key: str | None, *, path: str = "/api/orders", bearer: str = "rf_admin_1"
) -> Any:
    headers = {"Authorization": f"Bearer {bearer}"} | ({} if key is None else {"Idempotency-Key": key})
    return await client.post(path, json={"what": what}, headers=headers)


async def test_a_repeat_gets_the_same_status_and_body_and_does_nothing(client: httpx.AsyncClient) -> None:
    first, second = [await send(client, "tea", "k-1") for _ in range(2)]
    assert (first.status_code, first.json()) == (201, {"number": 1, "what": "tea", "secret": "hunter1"})
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert made == ["tea"]


async def test_copies_that_race_do_it_once(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(send(client, "tea", "k-1") for _ in range(50)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert made == ["tea"]


async def test_without_a_key_every_request_counts(client: httpx.AsyncClient) -> None:
    assert [(await send(client, "tea", None)).json()["number"] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("change", [{"what": "coffee"}, {"path": "/api/others"}, {"path": "/api/orders?for=me"}])
async def test_d72_a_key_is_tied_to_its_request(client: httpx.AsyncClient, change: dict[str, str]) -> None:
    await send(client, "tea", "k-1")
    refused = await send(client, **{"what": "tea", "key": "k-1", **change})
    assert (refused.status_code, refused.json()["error"]) == (409, "idempotency_conflict")
    assert made == ["tea"]


async def test_another_api_key_has_its_own_keys(client: httpx.AsyncClient) -> None:
    await send(client, "tea", "k-1")
    assert (await send(client, "tea", "k-1", bearer="rf_admin_2")).json()["number"] == 2


async def test_a_refusal_may_be_tried_again(client: httpx.AsyncClient) -> None:
    assert (await send(client, "nothing", "k-1")).status_code == 409
    await send(client, "tea", None)
    assert (await send(client, "nothing", "k-1")).json()["number"] == 2


async def test_a_restart_forgets_no_answer(open_store: OpenStore) -> None:
    made.clear()
    answers = []
    for _ in range(2):
        store = await open_store()
        async with client_of(store) as client:
            answers.append((await send(client, "tea", "k-1")).content)
        await store.close()
    assert answers[0] == answers[1]
    assert made == ["tea"]


async def test_the_kept_answer_holds_no_secret_in_clear(client: httpx.AsyncClient, store: SqlStore) -> None:
    assert "hunter1" in (await send(client, "tea", "k-1")).text
    rows = await store.read(lambda connection: connection.execute(sa.select(idempotency)).all())
    assert len(rows) == 1
    assert "hunter1" not in repr(rows)
    assert "rf_admin_1" not in repr([row.reply for row in rows])


@pytest.mark.parametrize("key", ["", "k" * 201])
async def test_an_impossible_key_is_refused(client: httpx.AsyncClient, key: str) -> None:
    assert (await send(client, "tea", key)).status_code == 400
    assert made == []

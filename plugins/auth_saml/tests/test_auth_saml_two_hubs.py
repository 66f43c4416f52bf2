"""Two hubs on one PostgreSQL behind one address: each step of a sign-in at another one, and none of them twice."""

from __future__ import annotations

from pathlib import Path

from saml_visitor import SamlHub, Visitor, problem, running_saml_hub

from ringforge_core.testkit.postgres import postgres_server

PUBLIC = "http://127.0.0.1:9"


def at(hub: SamlHub, visitor: Visitor) -> Visitor:
    """The same browser, with the cookies that it has now, at another hub."""
    there = hub.visitor()
    there.client.cookies = visitor.client.cookies
    return there


async def test_an_answer_is_held_at_one_hub_and_completed_at_another_once(tmp_path: Path) -> None:
    with postgres_server() as server:
        url = await server.new_database()
        others = {
            "RINGFORGE__STORE__URL": url, "RINGFORGE__CAPABILITIES__ACCOUNTS__ENCRYPTION_KEY": "the same at both of them",
        }  # fmt: skip
        second = {**others, "RINGFORGE__HUB__NODE": "node-2"}
        async with (
            running_saml_hub(tmp_path / "one", others=others, public_url=PUBLIC) as one,
            running_saml_hub(tmp_path / "two", others=second, public_url=PUBLIC) as two,
        ):
            visitor = one.visitor()
            state, request_id = await visitor.begin()
            path = await at(two, visitor).post(two.answer(request_id), state)
            back = at(one, visitor)
            answer = await back.client.get(path)
            assert answer.status_code == 303, problem(answer)
            assert await at(two, back).is_signed_in
            assert "finished already" in problem(await at(two, visitor).come_back(two.answer(request_id), state))

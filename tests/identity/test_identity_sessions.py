from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.identity import Admission, AgentClaim, Bootstrap, Credentials, Sessions, new_uuid
from ringforge_core.identity.session_changes import KEPT
from ringforge_core.identity.tables import agent_sessions
from ringforge_core.plugin.capability import AgentSession
from ringforge_core.ports.store import Store


async def admit(admission: Admission, tenant: Bootstrap, name: str) -> AgentSession:
    return await admission.admit(Credentials(api_key=tenant.agent_key, agent=AgentClaim(name=name)), address="192.0.2.7")


async def rows(store: Store) -> dict[str, Any]:
    query = sa.select(agent_sessions).order_by(agent_sessions.c.connected_at)
    found = await store.read(lambda connection: connection.execute(query).mappings().all())
    return {row["id"]: row for row in found}


async def test_d84_each_connection_has_a_row_of_its_own_with_its_address(
    store: Store, admission: Admission, acme: Bootstrap
) -> None:
    sessions = Sessions(store, node="one")
    first, second = await admit(admission, acme, "scout"), await admit(admission, acme, "scout")
    await sessions.open(first)
    await sessions.open(second)
    await sessions.close(second.session_id, acme.tenant_id, "1000")
    found = await rows(store)
    assert found[first.session_id]["disconnected_at"] is None
    assert found[first.session_id]["ip_address"] == "192.0.2.7"
    assert found[first.session_id]["fleet_id"] == acme.fleet_id
    assert found[second.session_id]["disconnect_reason"] == "1000"


async def test_a_session_is_closed_once_and_by_its_tenant_only(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    sessions = Sessions(store, node="one")
    session = await admit(admission, acme, "scout")
    await sessions.open(session)
    await sessions.close(session.session_id, globex.tenant_id, "foreign")
    assert (await rows(store))[session.session_id]["disconnect_reason"] is None
    await sessions.close(session.session_id, acme.tenant_id, "first")
    await sessions.close(session.session_id, acme.tenant_id, "second")
    await sessions.close("no such session", acme.tenant_id, "none")
    assert (await rows(store))[session.session_id]["disconnect_reason"] == "first"


async def test_the_newest_sessions_of_each_agent_are_kept(
    store: Store, admission: Admission, acme: Bootstrap, globex: Bootstrap
) -> None:
    sessions = Sessions(store, node="one")
    busy = await admit(admission, acme, "busy")
    quiet = [await admit(admission, tenant, "quiet") for tenant in (acme, globex)]
    for session in quiet:
        await sessions.open(session)
    opened = [msgspec.structs.replace(busy, session_id=new_uuid()) for _ in range(KEPT + 3)]
    for session in opened:
        await sessions.open(session)
    kept = list(await rows(store))
    assert kept == [session.session_id for session in [*quiet, *opened[3:]]]


async def test_d84_what_a_crash_left_open_is_closed_for_this_node_only(
    store: Store, admission: Admission, acme: Bootstrap
) -> None:
    mine, other, done = [await admit(admission, acme, name) for name in ("mine", "other", "done")]
    await Sessions(store, node="one").open(mine)
    await Sessions(store, node="one").open(done)
    await Sessions(store, node="two").open(other)
    await Sessions(store, node="one").close(done.session_id, acme.tenant_id, "1000")
    assert await Sessions(store, node="one").close_stale() == 1
    reasons = {row_id: row["disconnect_reason"] for row_id, row in (await rows(store)).items()}
    assert reasons == {mine.session_id: "hub_restarted", done.session_id: "1000", other.session_id: None}

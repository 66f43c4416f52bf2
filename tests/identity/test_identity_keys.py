from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ringforge_core.errors import InvalidPayload, NotFound
from ringforge_core.identity import Bootstrap, Keys, key_prefix, now
from ringforge_core.identity.tables import api_keys
from ringforge_core.ports.store import Store


async def test_d26_a_key_is_shown_once_and_nothing_stored_opens_anything(store: Store, keys: Keys, acme: Bootstrap) -> None:
    made = await keys.create(acme.tenant_id, kind="live", name="ci")
    assert made.key.startswith("rf_live_")
    assert made.prefix == key_prefix(made.key)
    assert made.key not in repr(made)
    rows = await store.read(lambda connection: connection.execute(sa.select(api_keys)).all())
    assert made.key not in repr(rows)
    listed = {key.id: key for key in await keys.list(acme.tenant_id)}
    assert listed[made.id].name == "ci"
    assert made.key not in repr(listed)


async def test_d03_a_key_for_another_tenants_fleet_is_not_made(
    store: Store, keys: Keys, acme: Bootstrap, globex: Bootstrap
) -> None:
    before = await keys.list(acme.tenant_id)
    with pytest.raises(NotFound):
        await keys.create(acme.tenant_id, kind="live", fleet_id=globex.fleet_id)
    with pytest.raises(NotFound):
        await keys.create(acme.tenant_id, kind="live", fleet_id="no such fleet")
    with pytest.raises(NotFound):
        await keys.create("no such tenant", kind="live")
    assert await keys.list(acme.tenant_id) == before
    assert (await keys.create(acme.tenant_id, kind="live", fleet_id=acme.fleet_id)).fleet_id == acme.fleet_id


async def test_keys_are_listed_newest_first_without_revoked_ones_and_for_their_tenant_only(
    keys: Keys, acme: Bootstrap, globex: Bootstrap
) -> None:
    tomorrow = now() + timedelta(days=1)
    first = await keys.create(acme.tenant_id, kind="live")
    second = await keys.create(acme.tenant_id, kind="test", expires_at=tomorrow)
    revoked = await keys.create(acme.tenant_id, kind="live")
    foreign = await keys.create(globex.tenant_id, kind="live")
    await keys.revoke(acme.tenant_id, revoked.id)
    listed = await keys.list(acme.tenant_id)
    assert [key.id for key in listed][:2] == [second.id, first.id]
    assert listed[0].expires_at == tomorrow
    assert not {revoked.id, foreign.id} & {key.id for key in listed}
    assert await keys.list("no such tenant") == []


async def test_a_key_is_revoked_by_its_tenant_only_and_once(
    store: Store, keys: Keys, acme: Bootstrap, globex: Bootstrap
) -> None:
    key = await keys.create(acme.tenant_id, kind="live")
    with pytest.raises(NotFound):
        await keys.revoke(globex.tenant_id, key.id)
    assert key.id in {listed.id for listed in await keys.list(acme.tenant_id)}

    async def revoked_at() -> datetime | None:
        query = sa.select(api_keys.c.revoked_at).where(api_keys.c.id == key.id)
        return await store.read(lambda connection: connection.execute(query).scalar_one())

    await keys.revoke(acme.tenant_id, key.id)
    at = await revoked_at()
    await keys.revoke(acme.tenant_id, key.id)
    assert at is not None
    assert await revoked_at() == at


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "root"},
        {"kind": "live", "expires_at": datetime(2020, 1, 1).astimezone()},
        {"kind": "live", "expires_at": datetime(2999, 1, 1)},
    ],
    ids=["kind", "past", "no time zone"],
)
async def test_a_key_that_makes_no_sense_is_refused(keys: Keys, acme: Bootstrap, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload):
        await keys.create(acme.tenant_id, **wrong)

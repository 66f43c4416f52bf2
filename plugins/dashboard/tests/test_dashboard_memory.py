"""The memory is looked through, and changed only from the version that was seen."""

from __future__ import annotations

import pytest
from dashboard_visitor import Office

pytestmark = pytest.mark.asyncio(loop_scope="module")
ENTRY = "/dashboard/memory/entry?key=plans%2Fq3"
SAVE = "/dashboard/memory/save"


async def test_an_entry_is_found_changed_and_deleted(shared_office: Office) -> None:
    async with shared_office.agent("ada") as ada:
        await ada.join()
        await ada.ok("memory:set", {"key": "plans/q3", "value": {"goal": "<b>more</b>"}, "tags": ["plan"]})
        await ada.ok("memory:set", {"key": "other", "value": "text"})
        found = await shared_office.owner.open("/dashboard/memory?words=goal")
        assert "plans/q3" in found
        assert "<b>more</b>" not in found
        assert "other</a>" not in found
        answer = await shared_office.owner.submit(ENTRY, SAVE, value='{"goal": 4}', as_json="yes", tags="plan, q3")
        assert answer.status_code == 303
        entry = (await ada.ok("memory:get", {"key": "plans/q3"}))["payload"]
        assert (entry["value"], entry["tags"], entry["author"], entry["version"]) == (
            {"goal": 4}, ["plan", "q3"], "dashboard", 2,
        )  # fmt: skip
        assert "Version 1" in await shared_office.owner.open(ENTRY)
        assert (await shared_office.owner.submit(ENTRY, "/dashboard/memory/delete")).status_code == 303
        await ada.refused("memory:get", {"key": "plans/q3"})


async def test_a_change_that_somebody_else_overtook_is_refused(shared_office: Office) -> None:
    async with shared_office.agent("ada") as ada:
        await ada.join()
        await ada.ok("memory:set", {"key": "plans/q4", "value": "one"})
        seen = {"key": "plans/q4", "version": "1", "_csrf": await shared_office.owner.token()}
        await ada.ok("memory:set", {"key": "plans/q4", "value": "two"})
        answer = await shared_office.owner.post(SAVE, value="three", **seen)
        assert answer.status_code == 400
        assert "three" in answer.text  # what was written is not lost
        assert (await ada.ok("memory:get", {"key": "plans/q4"}))["payload"]["value"] == "two"
        answer = await shared_office.owner.post("/dashboard/memory/delete", **seen)
        assert answer.status_code == 400


async def test_a_value_that_is_no_json_is_refused(shared_office: Office) -> None:
    answer = await shared_office.owner.submit("/dashboard/memory/entry", SAVE, key="a", value="{", as_json="yes", tags="")
    assert answer.status_code == 400
    assert "The value is not JSON." in answer.text

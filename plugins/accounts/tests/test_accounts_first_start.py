"""A real process: the operator reads the link for the first owner, it is in no log line, and `kill -9` ends no session."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from accounts_browser import PASSWORD, Browser

from ringforge_core.testkit.hub_process import HubProcess


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubProcess]:
    settings = {"RINGFORGE__CAPABILITIES__USE": "presence,accounts", "RINGFORGE__LOG__FORMAT": "json"}
    hub = HubProcess(tmp_path / "hub", settings=settings)
    await hub.start()
    yield hub
    await hub.stop()


async def test_the_operator_is_shown_the_way_in_and_the_owner_stays_in(hub: HubProcess) -> None:
    shown = hub.log.read_text()
    link = re.search(r"^ +(http\S+)(/auth/owner\?token=\S+)$", shown, re.MULTILINE)
    assert link is not None, shown
    owner = Browser(hub.http_url)
    answer = await owner.submit("/auth/owner", page=link[2], name="Olga", email="olga@example.org", password=PASSWORD)
    assert answer.status_code == 303
    assert await owner.signed_in

    await hub.kill()
    await hub.start()
    assert await owner.signed_in
    await owner.client.aclose()
    after = hub.log.read_text()
    assert after.count("/auth/owner?token=") == 1  # the second start shows the way to the sign-in instead
    lines = [line for line in after.splitlines() if line.startswith("{")]
    assert all(json.loads(line) for line in lines)
    assert [line for line in lines if "/auth/owner?token=" in line or "olga@" in line] == []

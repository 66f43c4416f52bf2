"""`ringforge nodes` beside one hub on SQLite."""

from __future__ import annotations

from pathlib import Path

from ringforge_core.nodes import list_nodes
from ringforge_core.testkit.hub import running_hub
from ringforge_core.testkit.hub_process import HubProcess


async def test_a_hub_that_was_killed_is_not_listed_beside_its_successor(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    killed = HubProcess(tmp_path, settings={"RINGFORGE__STORE__URL": url, "RINGFORGE__HUB__NODE": "killed"})
    await killed.start()
    await killed.kill()
    settings = {"RINGFORGE__STORE__URL": url, "RINGFORGE__HUB__NODE": "successor"}
    async with running_hub(tmp_path / "successor", settings=settings) as hub:
        assert [node.name for node in await list_nodes(hub.hub.store)] == ["successor"]

"""What the documents show works: commands, links, the README's agent, and the plugin of docs/writing-a-plugin.md."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from architecture.repository import ROOT, tracked_files
from ringforge import Agent

from ringforge_core.cli.root import COMMANDS
from ringforge_core.testkit.hub_process import HubProcess

README = ROOT / "README.md"
PLUGIN_GUIDE = ROOT / "docs" / "writing-a-plugin.md"
OF_THE_SCRIPT = {"up", "test", "bench", "tox", "lock", "help", "--help"}


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/writing-a-plugin.md"])
def test_the_commands_exist(document: str) -> None:
    shown = set(re.findall(r"(?:^|`|\s)(?:\./)?ringforge ([a-z-]+)", "\n".join(blocks(ROOT / document, "sh"))))
    shown |= set(re.findall(r"`(?:\./)?ringforge ([a-z-]+)", (ROOT / document).read_text()))
    assert shown, "a document that shows how to use Ringforge shows a command"
    assert shown - OF_THE_SCRIPT - set(COMMANDS) == set()


def test_the_scripts_own_commands_are_in_its_help() -> None:
    text = subprocess.run([ROOT / "ringforge", "help"], capture_output=True, text=True, check=True).stdout  # noqa: S603 — our script
    assert {command for command in OF_THE_SCRIPT if not re.search(rf"^  {command}\b", text, re.MULTILINE)} == {"--help"}


def test_links_between_files_lead_somewhere() -> None:
    documents = [path for path in tracked_files() if path.suffix == ".md"]
    links = [(path, link) for path in documents for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", path.read_text())]
    assert len(links) > 10
    assert [f"{path.name}: {link}" for path, link in links if not (path.parent / link).exists()] == []


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubProcess]:
    hub = HubProcess(tmp_path / "hub")
    await hub.start()
    yield hub
    await hub.stop()


async def test_the_agent_of_the_readme_hears_another(hub: HubProcess, tmp_path: Path) -> None:
    (example,) = blocks(README, "python")
    assert len(list(filter(None, example.splitlines()))) <= 10
    key = (await hub.bootstrap()).agent_key
    script = tmp_path / "builder.py"
    script.write_text(example.replace("ws://127.0.0.1:4000", hub.websocket_url).replace("rf_live_…", key))

    home = {**os.environ, "HOME": str(tmp_path)}  # the agents' key files go there
    builder = await asyncio.create_subprocess_exec(sys.executable, script, stdout=PIPE, env=home)
    assert builder.stdout is not None
    try:
        async with asyncio.timeout(20), Agent(hub.websocket_url, api_key=key, name="tester", key_directory=None) as tester:
            line = None
            while line is None:  # what is told before the builder listens, it need not hear
                await tester.activity.broadcast("task_completed", "All tests pass")
                with suppress(TimeoutError):
                    line = await asyncio.wait_for(builder.stdout.readline(), timeout=0.2)
        assert line == b"tester task_completed All tests pass\n"
    finally:
        builder.kill()
        await builder.wait()


@pytest.fixture
def guide_plugin(tmp_path: Path) -> Path:
    """The guide's files, laid out as an installer would: a folder for `sys.path`."""
    files = {}
    for block in blocks(PLUGIN_GUIDE, "(?:python|toml)"):
        if named := re.match(r"# (\S+)\n", block):
            files[named[1]] = block
    folder = tmp_path / "installed"
    for name, text in files.items():
        if name.startswith("src/"):
            target = folder / name.removeprefix("src/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    entries = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["ringforge.plugins"].items())
    (metadata / "entry_points.txt").write_text(f"[ringforge.plugins]\n{entries}")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "ringforge.toml").write_text(files["ringforge.toml"])
    return folder


async def test_the_plugin_of_the_guide_serves_agents(guide_plugin: Path, tmp_path: Path) -> None:
    hub = HubProcess(
        tmp_path / "hub", settings={"PYTHONPATH": f"{guide_plugin}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    )
    await hub.start()
    try:
        key = (await hub.bootstrap()).agent_key
        async with asyncio.timeout(20), Agent(hub.websocket_url, api_key=key) as agent:
            stream = agent.events("echo:said")
            said = await agent.request("echo:say", {"words": "hello"})
            echoed = await anext(aiter(stream))
            assert echoed.payload == {"event_id": said["event_id"], "agent_id": agent.id, "words": "hello"}
        assert "echo:say" in await hub.run("asyncapi")
        assert "ringforge-echo" in await hub.run("plugins")
    finally:
        await hub.stop()

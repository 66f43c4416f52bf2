"""`ringforge agent …` as a person and a script use it, on a real hub."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from command_line import Outcome, Run

from ringforge_core.testkit.hub import TestHub, running_hub

if find_spec("ringforge") is None:
    pytest.skip("`ringforge agent` needs the SDK `ringforge`", allow_module_level=True)

from ringforge import Agent

DEADLINE = 60.0
COMMAND = [sys.executable, "-m", "ringforge_core.cli", "agent"]
Shell = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running_hub(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
def environment(tmp_path: Path, hub: TestHub) -> dict[str, str]:
    """A home of its own, and nothing of the environment that is ours."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RINGFORGE")}
    return {**own, "HOME": str(tmp_path), "RINGFORGE_URL": hub.websocket_url}


@pytest.fixture
def shell(run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs a command in a thread of this process: starting an interpreter takes longer than all that the commands do."""

    async def run_command(*arguments: str, stdin: str = "", **settings: str) -> Outcome:
        with monkeypatch.context() as here:
            here.setattr(sys, "stdin", io.StringIO(stdin))
            for name, value in {**environment, **settings}.items():
                here.setenv(name, value)
            async with asyncio.timeout(DEADLINE):
                return await asyncio.to_thread(run, "agent", *arguments)

    return run_command


@pytest.fixture
async def logged_in(shell: Shell, hub: TestHub) -> Shell:
    """The shell after the login as ann."""
    done = await shell("login", "--name", "ann", stdin=f"{hub.keys.agent_key}\n")
    assert done.code == 0, done.err
    return shell


@pytest.fixture
async def builder(hub: TestHub) -> AsyncIterator[Agent]:
    async with Agent(hub.websocket_url, api_key=hub.keys.agent_key, name="builder", key_directory=None) as builder:
        yield builder


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        return (await process.stdout.readline()).decode()


async def until_here(agent: Agent, *names: str) -> None:
    """Wait until just these agents are connected."""
    async with asyncio.timeout(DEADLINE):
        while {entry.name for entry in await agent.presence.roster()} != set(names):  # noqa: ASYNC110 — the hub is asked
            await asyncio.sleep(0.05)


async def take(stream: AsyncIterator[Any]) -> Any:
    async with asyncio.timeout(DEADLINE):
        return await anext(stream)


async def test_the_login_keeps_a_key_pair_and_not_the_api_key(logged_in: Shell, hub: TestHub, tmp_path: Path) -> None:
    directory = tmp_path / ".config" / "ringforge"
    files = sorted(directory.iterdir())
    assert [file.suffix for file in files] == [".key", ".json"]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "rf_" not in file.read_text()
    shown = await logged_in("roster", "--json")
    [entry] = shown.json
    assert (entry["name"], entry["framework"]) == ("ann", "ringforge agent")
    again = await logged_in("login", "--name", "ann", "--json", stdin=hub.keys.agent_key)
    assert again.json["agent_id"] == entry["agent_id"]


async def test_a_login_that_cannot_be_is_explained(shell: Shell, hub: TestHub, logged_in: Shell, tmp_path: Path) -> None:
    wrong = await shell("login", "--name", "eve", stdin="rf_live_wrong")
    assert wrong.code == 1
    assert "fix: Check that the API key" in wrong.err
    assert "no API key" in (await shell("login", "--name", "eve")).err
    elsewhere = {"HOME": str(tmp_path / "elsewhere")}
    other = await shell("login", "--name", "ann", stdin=hub.keys.agent_key, **elsewhere)
    assert other.code == 1
    assert "--replace-key" in other.err
    assert (await shell("roster", **elsewhere)).code == 1
    assert (await shell("login", "--name", "ann", "--replace-key", stdin=hub.keys.agent_key, **elsewhere)).code == 0
    assert (await shell("roster", **elsewhere)).code == 0


async def test_without_a_login_it_says_how(shell: Shell) -> None:
    ended = await shell("roster")
    assert (ended.code, ended.out) == (1, "")
    assert "fix: ringforge agent login" in ended.err
    assert "name for a profile" in (await shell("roster", "--profile", "../etc")).err


async def test_a_script_needs_no_login_and_leaves_nothing_behind(shell: Shell, hub: TestHub, tmp_path: Path) -> None:
    key = {"RINGFORGE_API_KEY": hub.keys.agent_key, "RINGFORGE_AGENT": "ci"}
    told = await shell("broadcast", "task_failed", "make test", "--tags", "ci, nightly", "--data", '{"exit": 2}', **key)
    assert told.code == 0, told.err
    history = await shell("history", "--json", "--kinds", "task_failed", **key)
    event = history.json
    assert event["event_id"] == told.out.strip()
    assert (event["from"]["name"], event["description"], event["tags"]) == ("ci", "make test", ["ci", "nightly"])
    assert event["data"] == {"exit": 2}
    assert not (tmp_path / ".config").exists()


async def test_the_memory_from_a_shell(logged_in: Shell) -> None:
    assert (await logged_in("memory", "set", "plans/q3", '{"goal": 3}', "--tags", "plan,q3")).out == "plans/q3 version 1\n"
    assert (await logged_in("memory", "get", "plans/q3")).out == '{"goal":3}\n'
    await logged_in("memory", "set", "note", "-", "--text", stdin="42")
    entry = (await logged_in("memory", "get", "note", "--json")).json
    assert (entry["value"], entry["type"], entry["version"]) == ("42", "text", 1)
    conflict = await logged_in("memory", "set", "note", "x", "--if-version", "0")
    assert (conflict.code, conflict.out) == (1, "")
    assert "fix: Read the entry again" in conflict.err
    listed = await logged_in("memory", "list", "--tags", "plan")
    assert [line.split() for line in listed.out.splitlines()] == [
        ["KEY", "VERSION", "CHANGED", "TAGS", "VALUE"],
        ["plans/q3", "1", *listed.out.splitlines()[1].split()[2:4], "plan,q3", '{"goal":3}'],
    ]
    found = await logged_in("memory", "list", "--search", "goal", "--json")
    assert [each["key"] for each in found.json] == ["plans/q3"]
    assert (await logged_in("memory", "delete", "note")).out == "deleted note\n"
    for gone in (("get", "note"), ("delete", "note")):
        ended = await logged_in("memory", *gone)
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.startswith("error: ")


async def test_messages_from_a_shell(logged_in: Shell, builder: Agent) -> None:
    inbox = aiter(builder.dm)
    assert (await logged_in("send", "builder", "hello")).out in ("delivered\n", "queued\n")
    greeting = await take(inbox)
    assert (greeting.sender.name, greeting.content) == ("ann", "hello")
    asking = asyncio.create_task(logged_in("send", builder.id, '{"type": "query"}', "--wait", "30"))
    question = await take(inbox)
    assert question.content == {"type": "query"}
    await question.reply({"version": 3})
    assert (await asking).out == '{"version":3}\n'
    silence = await logged_in("send", "builder", "anybody?", "--wait", "0.5")
    assert (silence.code, silence.out) == (3, "")
    near = await logged_in("send", "bulider", "hello")
    assert (near.code, near.err) == (3, "error: No agent of the fleet is named bulider. Did you mean builder?\n")
    conversation = await logged_in("history", "--with", "builder", "--limit", "4", "--json")
    contents = [json.loads(line)["message"] for line in conversation.out.splitlines()]
    assert contents == ["hello", {"type": "query"}, {"version": 3}, "anybody?"]


async def test_a_message_that_comes_to_a_short_command_is_shown(logged_in: Shell, builder: Agent) -> None:
    ann = next(profile for profile in await builder.agents.list() if profile.name == "ann")
    await builder.dm.send(ann.agent_id, "read \x1b[31mme")
    await builder.dm.send(ann.agent_id, {"type": "text", "text": "and me"}, ack=True)
    ended = await logged_in("memory", "list")
    assert [line.split(maxsplit=3)[1:] for line in ended.err.splitlines()] == [
        ["builder", "message", "read  [31mme"], ["builder", "message", "and me"],
    ]  # fmt: skip
    assert (await logged_in("memory", "list")).err == ""


async def test_listening_in_a_pipe(logged_in: Shell, builder: Agent, environment: dict[str, str]) -> None:
    listener = await asyncio.create_subprocess_exec(*COMMAND, "listen", stdout=PIPE, stderr=PIPE, env=environment)
    try:
        here = [(await line_of(listener)).split()[1:] for _ in range(2)]
        assert sorted(here) == [["ann", "joined"], ["builder", "joined"]]
        ann = next(entry for entry in await builder.presence.roster() if entry.name == "ann")
        await builder.activity.broadcast("discovery", "cold cache", tags=["cache"])
        await builder.dm.send(ann.agent_id, "psst", ack=True)
        group = await builder.groups.create("backend", invite=[ann.agent_id])
        await builder.groups.message(group.group_id, "all together")
        heard = set()
        while len(heard) < 3:
            line = await line_of(listener)
            assert "\x1b" not in line
            if "joined" not in line:
                heard.add(" ".join(line.split()[1:]))
        assert heard == {
            "builder discovery cold cache #cache",
            "builder message psst",
            f"builder message all together (to {group.group_id})",
        }
    finally:
        listener.send_signal(signal.SIGINT)
        _, complaints = await listener.communicate()
    assert (listener.returncode, complaints) == (0, b"")


async def test_listening_for_a_program(logged_in: Shell, builder: Agent, environment: dict[str, str]) -> None:
    await until_here(builder, "builder")
    listener = await asyncio.create_subprocess_exec(
        *COMMAND, "listen", "--json", "--kinds", "alert,message", "--count", "2", stdout=PIPE, stderr=PIPE, env=environment
    )
    await until_here(builder, "ann", "builder")
    ann = next(entry for entry in await builder.presence.roster() if entry.name == "ann")
    await builder.activity.broadcast("custom", "not this")
    await builder.activity.broadcast("alert", "this")
    heard = [json.loads(await line_of(listener))]
    receipts = builder.dm.receipts()
    await builder.dm.send(ann.agent_id, [1, 2], ack=True)
    heard.append(json.loads(await line_of(listener)))
    assert [(line["event"], line["payload"]["from"]["name"]) for line in heard] == [
        ("activity:broadcast", "builder"), ("direct:message", "builder"),
    ]  # fmt: skip
    assert (heard[0]["payload"]["description"], heard[1]["payload"]["message"]) == ("this", [1, 2])
    assert (await take(receipts)).status == "delivered"  # what is printed is acknowledged
    async with asyncio.timeout(DEADLINE):
        assert await listener.wait() == 0
    listened = await logged_in("listen", "--seconds", "0.2")
    assert listened.code == 0


async def test_wrong_usage_is_2(shell: Shell) -> None:
    for arguments in (
        ("listen", "--kinds", "nonsense"),
        ("history", "--with", "builder", "--kinds", "alert"),
        ("broadcast", "nonsense", "text"),
        ("broadcast", "alert", "text", "--data", "[1]"),
        ("memry",),
    ):
        ended = await shell(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "fix: ringforge agent" in ended.err


async def test_in_a_terminal_there_are_colours_and_the_key_is_not_echoed(hub: TestHub, environment: dict[str, str]) -> None:
    terminal, other_end = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "login", "--name", "ann", stdin=other_end, stdout=other_end, stderr=other_end, start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(other_end), os.O_RDWR)), env={**environment, "TERM": "xterm"},
    )  # fmt: skip
    os.close(other_end)
    shown = await asyncio.to_thread(_read_until, terminal, b"API key")
    os.write(terminal, hub.keys.agent_key.encode() + b"\n")
    shown += await asyncio.to_thread(_read_until, terminal, b"ringforge agent listen")
    async with asyncio.timeout(DEADLINE):
        assert await process.wait() == 0
    os.close(terminal)
    assert b"\x1b[" in shown
    assert hub.keys.agent_key.encode() not in shown


def _read_until(terminal: int, text: bytes) -> bytes:
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 4096)
    return shown


def test_without_the_sdk_it_says_what_to_install(tmp_path: Path) -> None:
    hidden = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *rest: None if name == 'ringforge' else find(name, *rest);"
        "sys.modules['ringforge'] = None; sys.argv = ['ringforge', 'agent', 'roster'];"
        "from ringforge_core.cli import main; main()"
    )
    ended = subprocess.run(  # noqa: S603 — the line above
        [sys.executable, "-c", hidden], capture_output=True, text=True, timeout=DEADLINE, check=False,
        env={**os.environ, "RINGFORGE_API_KEY": "rf_live_x"}, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "fix: pip install ringforge" in ended.stderr

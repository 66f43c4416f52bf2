"""What the README shows, as somebody would paste it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import textwrap
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = dict(re.findall(r"^### ([^\n]+)\n\n```python\n(.*?)```", README, re.DOTALL | re.MULTILINE))

EXPECTED = {
    "Presence": ["['builder', 'reviewer']", "StateChanged reviewer busy"],
    "Activity": ["earlier: The cache is cold", "reviewer custom Looks good ()"],
    "Memory": ["plans/q3 {'goal': 4} 2 True", "was {'goal': 3}", "plans/q3 delete 3"],
    "Direct messages": [
        "delivered", "answer: {'ok': True}", "reviewer says Well done", "earlier: {'got': 'Well done'}",
        "earlier: {'type': 'text', 'text': 'The build is green'}",
    ],
    "Groups": ["GroupCreated", "builder {'text': 'Who takes the migration?'}", "['owner'] 1"],
    "Profiles and fleets": ["Builder ('ci',)", "reviewer plain 2"],
    "Keys": ["True "],
    "Everything else": ["0"],
}  # fmt: skip
"""What each example prints; more may stand behind it in its line."""


async def test_the_readme_runs_as_it_stands(hub, tmp_path):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    code = code.replace("ws://127.0.0.1:4000", f"ws://127.0.0.1:{hub.port}").replace("rf_live_…", hub.api_key)
    home = {**os.environ, "HOME": str(tmp_path)}  # the agent's key file goes there
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=PIPE, stderr=PIPE, env=home)
    try:
        async with asyncio.timeout(20):
            line = await agent.stdout.readline()
    finally:
        agent.kill()
        _, complaints = await agent.communicate()
    assert line.decode().strip() == "builder task_started Compiling", complaints.decode()


def test_every_example_is_run():
    assert EXAMPLES.keys() == EXPECTED.keys()
    assert README.count("```python") == len(EXAMPLES) + 1


@pytest.mark.parametrize("title", EXAMPLES)
@pytest.mark.parametrize("hub", ["real_hub"], indirect=True)
async def test_an_example_does_what_it_says(agent_of, title, tmp_path):
    async with agent_of("builder", key_directory=tmp_path) as agent, agent_of("reviewer", framework="plain") as reviewer:
        await agent.presence.roster()
        await reviewer.presence.roster()  # both have arrived
        printed: list[str] = []
        names = {"agent": agent, "print": lambda *values: printed.append(" ".join(map(str, values)))}
        exec(f"async def example():\n{textwrap.indent(EXAMPLES[title], '    ')}", names)  # noqa: S102 — our README
        running = asyncio.create_task(names["example"]())
        around = asyncio.create_task(live(reviewer, agent.id))
        try:
            async with asyncio.timeout(20):
                while not_printed(title, printed) and not running.done():  # noqa: ASYNC110 — two conditions
                    await asyncio.sleep(0.02)
        finally:
            for task in (running, around):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        assert not_printed(title, printed) == [], printed


def not_printed(title, printed):
    return [line for line in EXPECTED[title] if not any(each.startswith(line) for each in printed)]


async def live(reviewer, builder_id):
    """The other agent: it works, tells, answers, and writes."""

    async def answer():
        async for message in reviewer.dm:
            if isinstance(message.content, dict) and message.content.get("type") == "query":
                await message.reply({"ok": True})
                await reviewer.dm.send(builder_id, "Well done")

    async def work():
        number = 0
        while True:
            number += 1
            await reviewer.presence.update(state="busy", task=f"review {number}")
            await reviewer.activity.broadcast("custom", "Looks good")
            await asyncio.sleep(0.1)

    await asyncio.gather(answer(), work())

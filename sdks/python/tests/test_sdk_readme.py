"""The ten lines of the README, as somebody would paste them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


async def test_the_readme_runs_as_it_stands(hub, tmp_path):
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
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

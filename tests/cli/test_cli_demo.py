"""`ringforge demo`: a hub and agents that talk, over real sockets."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import Run

if find_spec("ringforge") is None:
    pytest.skip("the demo's agents need the SDK `ringforge`", allow_module_level=True)

COMMAND = [sys.executable, "-m", "ringforge_core.cli", "demo", "--pace", "0.05"]
ROLES = {"planner", "builder", "tester", "writer"}
DEADLINE = 60.0


def test_in_a_pipe_it_tells_line_by_line_what_the_agents_do(tmp_path: Path) -> None:
    ended = subprocess.run(  # noqa: S603 — our own command line
        [*COMMAND, "--seconds", "3"], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert "\x1b" not in ended.stdout
    spoke = set(re.findall(r"^[\d:]{8}  (\w+) +task_completed ", ended.stdout, re.MULTILINE))
    assert spoke == ROLES
    assert re.search(r"^[\d:]{8}  builder +busy +building dark mode$", ended.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_in_a_terminal_it_shows_a_screen_until_ctrl_c(tmp_path: Path) -> None:
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 — our own command line
        COMMAND, cwd=tmp_path, stdin=other_end, stdout=other_end, stderr=other_end, start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(other_end), os.O_RDWR)),
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    )  # fmt: skip
    os.close(other_end)
    try:
        shown = read_until(terminal, "documented and shipped")
        assert {name for name in ROLES if name in shown} == ROLES
        assert "AGENT" in shown
        os.write(terminal, b"\x03")
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def read_until(terminal: int, text: str) -> str:
    shown, deadline = b"", time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536)
        if text.encode() in shown:
            return shown.decode(errors="replace")
    raise AssertionError(f"{text!r} was not shown within {DEADLINE} s: {shown[-2000:]!r}")


def test_without_the_sdk_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringforge_core.cli.demo.find_spec", lambda name: None)
    ended = run("demo")
    assert ended.code == 1
    assert ended.err == "error: The demo's agents need the Python SDK.\nfix: pip install ringforge\n"

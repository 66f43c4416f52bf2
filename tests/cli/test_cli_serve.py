"""`ringforge serve` as a process: what it prints, and what works beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "ringforge_core.cli"]
DEADLINE = 30.0


class Serve:
    """A hub in its own process on a free port; stdout and stderr go to files."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.out, self.err = directory / "out", directory / "err"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("RINGFORGE")}
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(  # noqa: S603 — our own command line
                [*COMMAND, "serve", "--listen", "127.0.0.1:0", *arguments],
                cwd=directory, env=self.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip

    def logged(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.err.read_text().splitlines() if line.startswith("{")]

    def wait_until_serving(self) -> str:
        """The hub's URL."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            for event in self.logged():
                if event["event"] == "serving":
                    return event["url"]
            assert self.process.poll() is None, self.err.read_text()
            time.sleep(0.02)
        raise AssertionError(f"not serving after {DEADLINE} s: {self.err.read_text()}")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


@pytest.fixture
def hubs() -> Iterator[list[Serve]]:
    started: list[Serve] = []
    yield started
    for hub in started:
        if hub.process.poll() is None:
            hub.process.kill()
            hub.process.wait(DEADLINE)


def test_the_first_start_shows_the_keys_once_and_no_log_line_holds_them(tmp_path: Path, hubs: list[Serve]) -> None:
    hubs.append(first := Serve(tmp_path, "--log-format", "json", "--data-directory", "data"))
    url = first.wait_until_serving()
    assert url.startswith("http://127.0.0.1:")
    assert first.stop() == 0
    shown = first.err.read_text()
    keys = re.findall(r"rf_(?:admin|live)_\w{32}", shown)
    assert len(set(keys)) == 2
    assert f'async with Agent("ws{url.removeprefix("http")}", api_key="{keys[1]}"' in shown
    assert not any(key in line for key in keys for line in shown.splitlines() if line.startswith("{"))
    assert first.out.read_text() == ""
    assert (tmp_path / "data" / "hub.db").exists()

    hubs.append(second := Serve(tmp_path, "--data-directory", "data"))
    second.wait_until_serving()
    assert second.stop() == 0
    assert "rf_" not in second.err.read_text()


def test_keys_are_made_beside_a_running_hub(tmp_path: Path, hubs: list[Serve]) -> None:
    hubs.append(hub := Serve(tmp_path))
    hub.wait_until_serving()
    made = subprocess.run(  # noqa: S603 — our own command line
        [*COMMAND, "bootstrap", "--json"], cwd=tmp_path, env=hub.environ, capture_output=True, check=True, text=True,
        timeout=DEADLINE,
    )  # fmt: skip
    assert json.loads(made.stdout)["created"] is False
    assert made.stderr == ""
    assert hub.stop() == 0


def test_a_second_hub_on_the_same_data_says_so(tmp_path: Path, hubs: list[Serve]) -> None:
    hubs.append(hub := Serve(tmp_path))
    hub.wait_until_serving()
    (tmp_path / "second").mkdir()
    hubs.append(second := Serve(tmp_path / "second", "--data-directory", str(tmp_path / "ringforge-data")))
    assert second.process.wait(DEADLINE) == 1
    assert re.search(r"^error: Another hub \(process \d+\) uses this database", second.err.read_text(), re.MULTILINE)
    assert "Traceback" not in second.err.read_text()

"""The script at the root: it explains itself before anything is installed, and says what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from architecture.repository import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of which nothing is installed yet, in a folder whose name has a space."""
    folder = tmp_path / "my checkout"
    shutil.copytree(ROOT / "plugins", folder / "plugins", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(ROOT / "sdks", folder / "sdks", ignore=shutil.ignore_patterns("node_modules"))
    for name in ("ringforge", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 — the script of this repository
        [script, *arguments], env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


def test_help_needs_no_python_and_installs_nothing(checkout: Path) -> None:
    result = run(checkout / "ringforge", "help", RINGFORGE_PYTHON="no-such-python")
    assert result.returncode == 0
    assert "up [serve options]" in result.stdout
    assert not (checkout / ".tools").exists()


def test_without_a_python_that_fits_it_says_what_to_install(checkout: Path) -> None:
    result = run(checkout / "ringforge", "plugins", RINGFORGE_PYTHON="no-such-python")
    assert result.returncode == 1
    assert result.stderr.startswith("ringforge: no Python 3.11, 3.12 or 3.13 among: no-such-python.")
    assert "apt-get install python3" in result.stderr


def test_an_installed_checkout_goes_straight_to_the_command(checkout: Path) -> None:
    environment = checkout / ".venv" / "bin"
    environment.mkdir(parents=True)
    for name, does in {"python": "", "ringforge": 'printf "<%s>" "$@"'}.items():
        (environment / name).write_text(f"#!/bin/sh\n{does}\n")
        (environment / name).chmod(0o755)
    stamp = run(Path("/bin/sh"), "-c", '. "$0" help >&2; stamp', str(checkout / "ringforge")).stdout
    (environment.parent / ".ringforge-run").write_text(stamp)

    result = run(checkout / "ringforge", "keys", "list", "--name", "two words", RINGFORGE_PYTHON="no-such-python")

    assert result.stdout == "<keys><list><--name><two words>"


def test_the_constraints_name_versions_and_nothing_else() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 20
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[\w.+]+( ; .+)?", line)] == []

"""What the architecture tests look at: the distributions of this repository and its tracked files."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Distribution(NamedTuple):
    folder: Path
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.settings["project"]["name"])

    @property
    def package(self) -> Path:
        (relative,) = self.settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        return self.folder / relative


def distribution(folder: Path) -> Distribution:
    return Distribution(folder, tomllib.loads((folder / "pyproject.toml").read_text()))


CORE = distribution(ROOT)
PLUGINS = [distribution(path.parent) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
SDK = distribution(ROOT / "sdks" / "python")
DISTRIBUTIONS = [CORE, *PLUGINS, SDK]


def tracked_files() -> list[Path]:
    """Every file in git's index that is still there, new ones that are not ignored included."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("git, or the checkout's .git, is missing: which files are tracked is not known")
    command = [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")  # noqa: S603 — git
    return [path for name in names if name and (path := ROOT / name).is_file()]

"""What the architecture tests look at: the distributions of this repository and its tracked files."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

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
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 — git is on the PATH of whoever cloned this
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]

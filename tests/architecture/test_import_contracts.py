"""Who may import whom: the contracts in pyproject.toml hold, and each of them catches what it is there to catch."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from architecture.repository import CORE, DISTRIBUTIONS, PLUGINS, ROOT

LINT_IMPORTS = Path(sysconfig.get_path("scripts")) / "lint-imports"
CONTRACTS = CORE.settings["tool"]["importlinter"]
PLUGIN, OTHER_PLUGIN = "ringforge_eventbus_local", "ringforge_planted"


def apart() -> tuple[str, str]:
    """The two layers of the contract that keeps plugins apart from each other and core from all: `a | b | c` and core."""
    (contract,) = (contract for contract in CONTRACTS["contracts"] if "knows no plugin" in contract["name"])
    plugins, core = contract["layers"]
    return plugins, core


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 — a tool of this environment
        [LINT_IMPORTS, "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """All packages side by side in one folder, with the contracts, and one more plugin than there is."""
    for distribution in DISTRIBUTIONS:
        shutil.copytree(distribution.package, tmp_path / distribution.package.name)
    (tmp_path / OTHER_PLUGIN).mkdir()
    (tmp_path / OTHER_PLUGIN / "__init__.py").touch()
    contracts = (ROOT / "pyproject.toml").read_text()
    contracts = contracts.replace("root_packages = [", f'root_packages = ["{OTHER_PLUGIN}",', 1)
    before, plugins, after = contracts.rpartition(f'"{apart()[0]}"')
    (tmp_path / "pyproject.toml").write_text(f'{before}"{OTHER_PLUGIN} | {plugins[1:]}{after}')
    return tmp_path


def test_the_contracts_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("ringforge_core.ports.store", "ringforge_core.store"),
        ("ringforge_core.plugin.messages", "ringforge_core.socket.frames"),
        ("ringforge_core.mesh", "ringforge_core.socket.frames"),
        ("ringforge_core.socket.frames", "ringforge_core.app"),
        ("ringforge_core.errors", "ringforge_core.ports.store"),
        ("ringforge_core.administration.attention", "ringforge_core.mesh.inbox.tables"),
        ("ringforge_core.errors", PLUGIN),
        (PLUGIN, "ringforge_core.store"),
        (PLUGIN, OTHER_PLUGIN),
        ("ringforge", "ringforge_core.errors"),
    ],
)
def test_a_wrong_import_is_caught(copied: Path, importer: str, imported: str) -> None:
    module = copied.joinpath(*importer.split("."))
    file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    file.write_text(f"{file.read_text()}\nimport {imported}\n")

    result = lint(copied)

    assert result.returncode == 1
    assert f"{importer} -> {imported}" in " ".join(result.stdout.split())


def test_a_right_import_is_not(copied: Path) -> None:
    file = copied / PLUGIN / "__init__.py"
    file.write_text(f"{file.read_text()}\nimport ringforge_core.testkit.hub_process\n")
    result = lint(copied)
    assert result.returncode == 0, result.stdout


def test_every_distribution_is_under_the_contracts() -> None:
    packages = {distribution.package.name for distribution in DISTRIBUTIONS}
    assert set(CONTRACTS["root_packages"]) == packages, "list every package in [tool.importlinter] root_packages"

    plugins, core = apart()
    assert {name.strip() for name in plugins.split("|")} == {plugin.package.name for plugin in PLUGINS}
    assert core == CORE.package.name


def test_every_part_of_core_is_open_or_closed_to_plugins() -> None:
    (door,) = (contract for contract in CONTRACTS["contracts"] if contract["type"] == "protected")
    closed = {name.removeprefix("ringforge_core.") for name in door["protected_modules"]}
    parts = {path.stem for path in CORE.package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - closed - {"__init__"} == {"ports", "plugin", "errors", "testkit"}

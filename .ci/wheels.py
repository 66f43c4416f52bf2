"""Build each distribution's wheel, install it alone with core's, import all of it and run its tests.

The shared environment of `./ringforge test` hides a dependency that a plugin uses but does not declare, and a file that a
wheel forgot. Here each one has only what its `pyproject.toml` says: first what its users get, then its group `test` too.

    python .ci/wheels.py                            all distributions
    python .ci/wheels.py plugins/eventbus_local     these
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEST_TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist")
IN_PARALLEL = ("--numprocesses=2", "--dist=loadfile")
# Not imported: the testkit (its users have pytest), and what runs when it is imported (Alembic's env.py, `python -m`).
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.startswith("ringforge_core.testkit") and module.name.rpartition(".")[2] not in ("env", "__main__"):
        importlib.import_module(module.name)
print(f"imported {package.__name__} from {package.__path__[0]}")
"""


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    if subprocess.run(command, cwd=cwd).returncode:  # noqa: S603 — all arguments come from here or this repository
        sys.exit(f"failed: {' '.join(map(str, command)).strip()}")


def uv(*arguments: str | Path) -> None:
    run("uv", "--quiet", *arguments)


def install(python: Path, wheels: Path, *requirements: str | Path) -> None:
    constraints = ROOT / "constraints.txt"
    uv("pip", "install", "--python", python, "--find-links", wheels, "--constraint", constraints, *requirements)


def build(project: Path, wheels: Path) -> Path:
    """The path of the project's wheel."""
    uv("build", "--wheel", "--build-constraint", ROOT / "constraints.txt", "--out-dir", wheels, project)
    name = tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"].replace("-", "_")
    (wheel,) = wheels.glob(f"{name}-*.whl")
    return wheel


def check(project: Path, wheel: Path, core: Path, scratch: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    environment = scratch / wheel.name.partition("-")[0]
    python = environment / "bin" / "python"
    uv("venv", "--no-project", "--python", sys.executable, environment)
    install(python, wheel.parent, wheel, core)
    for package in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        run(python, "-c", IMPORT_ALL, Path(package).name, cwd=scratch)
    if project == ROOT:  # the tests at the root are those of the whole house; `./ringforge test` runs them
        return
    group = ("--group", f"{project / 'pyproject.toml'}:test") if "test" in settings.get("dependency-groups", {}) else ()
    install(python, wheel.parent, wheel, core, *TEST_TOOLS, *group)
    where = ("--rootdir", ROOT, "-c", ROOT / "pyproject.toml", project / "tests")
    run(environment / "bin" / "pytest", "-q", *IN_PARALLEL, *where)


def main() -> None:
    projects = [ROOT, *sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))]
    chosen = [ROOT / argument for argument in sys.argv[1:]] or projects
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        wheels = {project: build(project, scratch / "wheels") for project in projects}
        for project in chosen:
            print(f"--- {wheels[project].name}", flush=True)
            check(project, wheels[project], wheels[ROOT], scratch)


if __name__ == "__main__":
    main()

"""What a reader may rely on in every folder: small files, plugins of one shape, nothing of its writer's machine."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from architecture.repository import DISTRIBUTIONS, PLUGINS, ROOT, Distribution, tracked_files

LONGEST_FILE = 400
SOURCE_SUFFIXES = {".py", ".c", ".h", ".ts", ".tsx", ".js", ".ex", ".exs", ".css", ".html", ".sh"}
NOT_OURS = re.compile(
    r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs|repo1?[.]maven|deb[.]debian|proxy[.]golang|hex[.]pm/api"
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home|Users|tmp)/")

every_plugin = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda distribution: distribution.name)


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in tracked_files()
        if path.suffix in SOURCE_SUFFIXES
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


@every_plugin
def test_plugins_have_one_shape(plugin: Distribution) -> None:
    name = plugin.folder.name
    assert plugin.name == f"ringforge-{name.replace('_', '-')}"
    assert plugin.package == plugin.folder / "src" / f"ringforge_{name}"
    assert (plugin.package / "__init__.py").read_text().startswith('"""'), "__init__.py teaches what the plugin is for"
    assert list((plugin.folder / "tests").glob(f"test_{name}_*.py")), f"tests are named tests/test_{name}_*.py"

    modules = set(plugin.settings["project"]["entry-points"]["ringforge.plugins"].values())
    assert all(module.split(".")[0] == plugin.package.name for module in modules)
    assert any(dependency.startswith("ringforge-core") for dependency in plugin.settings["project"]["dependencies"])


@every_distribution
def test_distributions_are_licensed_typed_and_of_one_version(distribution: Distribution) -> None:
    project = distribution.settings["project"]
    assert project["license"] == "Apache-2.0"
    assert (distribution.folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (distribution.package / "py.typed").exists()
    assert project["version"] == DISTRIBUTIONS[0].settings["project"]["version"]
    assert project["requires-python"] == ">=3.11,<3.14"


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in tracked_files() if path.name.startswith("test_") and path.suffix == ".py")
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("pattern", [NOT_OURS, MACHINE_PATH], ids=["registry", "path"])
def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine(pattern: re.Pattern[str]) -> None:
    found = []
    for path in tracked_files():
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    assert found == []

"""docs/defects.md is complete and true: a test that is called after each defect, or the reason why there is none."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from architecture.repository import ROOT, tracked_files

LIST = ROOT / "docs" / "defects.md"
DEFECTS = range(1, 121)
WITHOUT_A_TEST = re.compile(r"cannot arise: .|belongs to .+, not built yet$")


def rows() -> dict[int, str]:
    found = re.findall(r"^\| D-(\d+) \| (.+) \|$", LIST.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in found] == list(DEFECTS), "one row a defect, in their order"
    return {int(number): text for number, text in found}


@pytest.fixture(scope="module")
def tests() -> dict[int, set[Path]]:
    """The files with tests that are called after a defect."""
    found = defaultdict(set)
    for path in tracked_files():
        if path.suffix == ".py":
            for numbers in re.findall(r"def test_((?:d\d{2,3}_)+)", path.read_text()):
                for number in re.findall(r"\d+", numbers):
                    found[int(number)].add(path)
    return dict(found)


@pytest.mark.parametrize("number", DEFECTS)
def test_a_row_names_its_tests_or_says_why_there_is_none(number: int, tests: dict[int, set[Path]]) -> None:
    text, named_after = rows()[number], tests.get(number, set())
    if WITHOUT_A_TEST.match(text):
        assert named_after == set(), f"docs/defects.md says of D-{number:02} that nothing is tested: name these files there"
    else:
        names = {Path(file).name for file in re.findall(r"`([\w/]+\.py)`", text)}
        assert names & {path.name for path in named_after}, (
            f"D-{number:02} needs a test in one of these: test_d{number:02}_…"
        )


def test_the_files_that_rows_name_are_there() -> None:
    known = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    named = re.findall(r"`([\w/]+(?:\.py|/))`", LIST.read_text())
    assert len(named) > 50
    assert [file for file in named if not any(f"/{path}".endswith(f"/{file}") for path in known)] == []

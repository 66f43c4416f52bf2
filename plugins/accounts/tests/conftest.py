from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

sys.path.insert(0, str(Path(__file__).parent))

from accounts_browser import People, running_people
from ringforge_accounts import passwords, tries

from ringforge_core.plugin import now


@pytest.fixture(autouse=True)
def cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 as it is takes a tenth of a second; only tests marked `real_hashes` wait for it."""
    if "real_hashes" not in request.keywords:
        monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    passwords._nobodys_hash.cache_clear()


@pytest.fixture(autouse=True)
def within_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries are counted by the quarter of an hour: no test falls into two."""
    at = now()
    monkeypatch.setattr(tries, "now", lambda: at)


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    """A hub on which everybody may register."""
    async with running_people(tmp_path, registration="self_serve") as running:
        yield running

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from ringforge_accounts import passwords, tries

from ringforge_core.plugin import now

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Argon2 as it is takes a tenth of a second, and these tests are about what needs no password."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(scope="module", autouse=True)
def within_one_window() -> Iterator[None]:
    """Tries are counted by the quarter of an hour: no test falls into two."""
    at = now()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tries, "now", lambda: at)
        yield

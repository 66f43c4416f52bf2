"""Which core is whose: the server has one to itself, the load generator another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec


class Cores(msgspec.Struct, frozen=True):
    server: int
    generator: int

    @property
    def shared(self) -> bool:
        return self.server == self.generator


def available() -> Cores:
    """The first and the last core that this process may use."""
    cores = sorted(os.sched_getaffinity(0))
    return Cores(cores[0], cores[-1])


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes started inside stay on `core`: a child inherits its parent's affinity, from its first instruction on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

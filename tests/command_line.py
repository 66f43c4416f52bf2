"""What a run of the command line gives back."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Run(Protocol):
    def __call__(self, *arguments: str) -> Outcome: ...

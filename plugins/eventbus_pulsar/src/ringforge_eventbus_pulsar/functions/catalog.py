"""The functions that there are: what each reads and writes, as a functions worker wants it told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ringforge_core.errors import NotFound
from ringforge_eventbus_pulsar.names import PREFIX

_HERE = Path(__file__).parent


class PackagedFunction(msgspec.Struct, frozen=True):
    name: str
    summary: str
    class_name: str
    config: dict[str, Any]
    """What is special about it, as fields of Pulsar's FunctionConfig."""

    @property
    def file(self) -> Path:
        return _HERE / f"{self.class_name.partition('.')[0]}.py"


CATALOG = (
    PackagedFunction(
        name="alert-filter",
        summary="copies alerts to a topic of their own",
        class_name="alert_filter.AlertFilter",
        config={"userConfig": {"kinds": ["alert"], "most_minutes_old": 60}},
    ),
    PackagedFunction(
        name="activity-rollups",
        summary="counts each agent's activity by minute and kind",
        class_name="activity_rollups.ActivityRollups",
        config={
            "processingGuarantees": "MANUAL",
            "userConfig": {"grace_seconds": 10, "most_held": 20_000},
        },
    ),
)


def find(name: str) -> PackagedFunction:
    for function in CATALOG:
        if function.name == name:
            return function
    raise NotFound(f'there is no function "{name}"', fix=f"Take one of {', '.join(each.name for each in CATALOG)}.")


def worker_config(function: PackagedFunction, *, inputs: str, outputs: str, options: dict[str, Any]) -> dict[str, Any]:
    """Pulsar's FunctionConfig. `inputs` and `outputs` are namespaces, `ringforge/default`; `options` change the userConfig.

    It reads the activity of all fleets, from the beginning: the first events of a new fleet are there before the worker
    has found its topic.
    """
    output = f"persistent://{outputs}/{function.name}"
    pattern = f"persistent://{inputs}/{PREFIX}.*-activity"
    return {
        "runtime": "PYTHON",
        "className": function.class_name,
        "inputSpecs": {pattern: {"isRegexPattern": True}},
        "subscriptionPosition": "Earliest",
        "output": output,
        "parallelism": 1,
        **function.config,
        "userConfig": {"topic": output, **function.config["userConfig"], **options},
    }

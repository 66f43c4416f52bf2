"""What a functions worker starts for a Python function, where Pulsar's own program for it is not to be had.

Takes the arguments that the worker gives, and does with a function what Pulsar documents: subscribes, calls `process`,
writes what it returns, acknowledges. It answers no health checks, so the worker does not count it as running.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pulsar
from pulsar.functions.serde import IdentitySerDe

_GUARANTEE = "processingGuarantees"
_serde = IdentitySerDe()


class InstanceContext(pulsar.Context):
    def __init__(self, client: pulsar.Client, details: dict[str, Any]) -> None:
        self.message: pulsar.Message | None = None
        self._client = client
        self._details = details
        self._user_config = json.loads(details.get("userConfig", "{}"))
        self._producers: dict[str, pulsar.Producer] = {}
        (self._pattern,) = details["source"]["inputSpecs"]
        self.consumer = client.subscribe(
            re.compile(self._pattern), f"{details['tenant']}/{details['namespace']}/{details['name']}",
            consumer_type=pulsar.ConsumerType.Shared, initial_position=pulsar.InitialPosition.Earliest,
            pattern_auto_discovery_period=1,
        )  # fmt: skip

    def get_message_id(self) -> Any:
        return self.message.message_id()

    def get_user_config_value(self, key: str) -> Any:
        return self._user_config.get(key)

    def get_input_topics(self) -> list[str]:
        return [self._pattern]

    def publish(self, topic_name: str, message: Any, *, callback: Any = None, message_conf: Any = None, **_: Any) -> None:
        if topic_name not in self._producers:
            self._producers[topic_name] = self._client.create_producer(topic_name)
        self._producers[topic_name].send_async(_serde.serialize(message), callback, **(message_conf or {}))

    def ack(self, msgid: Any, topic: str) -> None:
        if topic != self._pattern:
            raise ValueError(f"Invalid topicname {topic}")
        self.consumer.acknowledge(msgid)

    def output(self, message: Any) -> None:
        """Write what a function returned; its message is acknowledged when that is on disk."""
        consumed = self.message

        def written(result: pulsar.Result, _: Any) -> None:
            if result == pulsar.Result.Ok:
                self.consumer.acknowledge(consumed)

        self.publish(self._details["sink"]["topic"], message, callback=written)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("py", "function_details", "pulsar_serviceurl"):
        parser.add_argument(f"--{name}", required=True)
    arguments, _ = parser.parse_known_args()
    details = json.loads(arguments.function_details.strip("'"))
    code = Path(arguments.py)
    sys.path.insert(0, str(code.parent))
    module, _, name = details["className"].rpartition(".")
    function = getattr(importlib.import_module(module), name)()
    context = InstanceContext(pulsar.Client(arguments.pulsar_serviceurl), details)
    while True:
        context.message = context.consumer.receive()
        output = function.process(_serde.deserialize(context.message.data()), context)
        if output is not None:
            context.output(output)
        elif details.get(_GUARANTEE) != "MANUAL":
            context.consumer.acknowledge(context.message)


if __name__ == "__main__":
    main()

"""A Pulsar Function: rolls the activity up, one record per agent and minute, for charts and bills.

    {"tenant_id": …, "fleet_id": …, "agent_id": …, "minute": "2026-01-31T12:05:00Z", "events": 12,
     "kinds": {"task_progress": 11, "alert": 1}, "first_event_id": …}

A minute is written when it has been over for `grace_seconds`; what comes later, or is more than `most_held` at once, gets a
record of its own: sum them up. A message is acknowledged when its record is on disk, so a crash loses nothing: the messages
come again. Doubles within a minute are told by `event_id`.

User configuration: `topic` to write to, `grace_seconds`, `most_held`.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pulsar
from pulsar import Context, Function

_TICK_SECONDS = 1.0

Key = tuple[str, str, str, str]


class Rollup:
    """One agent's minute so far; `messages` are those that it was made of."""

    def __init__(self) -> None:
        self.event_ids: dict[str, None] = {}
        self.kinds: dict[str, int] = {}
        self.messages: list[Any] = []

    def add(self, event: dict[str, Any], message: Any) -> None:
        self.messages.append(message)
        if event["event_id"] not in self.event_ids:
            self.event_ids[event["event_id"]] = None
            kind = event.get("kind") or "none"
            self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def record(self, key: Key) -> str:
        named = dict(zip(("tenant_id", "fleet_id", "agent_id", "minute"), key, strict=True))
        counted = {"events": len(self.event_ids), "kinds": self.kinds, "first_event_id": next(iter(self.event_ids))}
        return json.dumps({**named, **counted})


class ActivityRollups(Function):  # type: ignore[misc]  # pulsar-client is not annotated
    """Minutes end by the clock, not by messages, so a thread of its own writes them."""

    def __init__(self) -> None:
        self._open: dict[Key, Rollup] = {}
        self._unwritten: list[tuple[Key, Rollup]] = []
        self._held = 0
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None

    def process(self, input: str, context: Context) -> None:
        event = _event(input)
        if event is None:
            _acknowledge(context, [context.get_message_id()])
            return
        with self._lock:
            self._open.setdefault(_key(event), Rollup()).add(event, context.get_message_id())
            self._held += 1
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_on_time, args=(context,), daemon=True)
                self._writer.start()
        if self._held >= context.get_user_config_value("most_held"):
            self._write(context, list(self._open))

    def _write_on_time(self, context: Context) -> None:
        while True:
            time.sleep(_TICK_SECONDS)
            unwritten, self._unwritten = self._unwritten, []
            for key, rollup in unwritten:
                self._publish(context, key, rollup)
            over = time.time() - 60 - context.get_user_config_value("grace_seconds")
            self._write(context, [key for key in list(self._open) if datetime.fromisoformat(key[3]).timestamp() <= over])

    def _write(self, context: Context, keys: list[Key]) -> None:
        for key in keys:
            with self._lock:
                rollup = self._open.pop(key, None)
                self._held -= len(rollup.messages) if rollup else 0
            if rollup is not None:
                self._publish(context, key, rollup)

    def _publish(self, context: Context, key: Key, rollup: Rollup) -> None:
        def written(result: pulsar.Result, _: Any) -> None:
            if result == pulsar.Result.Ok:
                _acknowledge(context, rollup.messages)
            else:
                self._unwritten.append((key, rollup))

        where = {"partition_key": f"{key[2]}/{key[3]}"}
        context.publish(context.get_user_config_value("topic"), rollup.record(key), callback=written, message_conf=where)


def _event(text: str) -> dict[str, Any] | None:
    """None for what is no event of an agent."""
    try:
        event = json.loads(text)
    except (ValueError, TypeError):
        return None
    return event if isinstance(event, dict) and event.get("agent_id") and "at" in event else None


def _key(event: dict[str, Any]) -> Key:
    minute = datetime.fromisoformat(event["at"]).astimezone(UTC).replace(second=0, microsecond=0)
    return event["tenant_id"], event["fleet_id"], event["agent_id"], minute.strftime("%Y-%m-%dT%H:%M:%SZ")


def _acknowledge(context: Context, messages: list[Any]) -> None:
    """The worker knows its consumer by what it was told to read, a pattern, and not by the topics that matched."""
    (pattern,) = context.get_input_topics()
    for message in messages:
        context.ack(message, pattern)

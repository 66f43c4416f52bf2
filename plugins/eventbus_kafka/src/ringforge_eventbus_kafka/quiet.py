"""aiokafka logs every try to reach a broker that is away, ten and more a second: once in a while is enough."""

from __future__ import annotations

import logging
import time

SECONDS = 10.0
"""Between two lines that say the same."""
_TALKATIVE = (
    "aiokafka",
    "aiokafka.conn",
    "aiokafka.producer.sender",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
)


class _OnceInAWhile(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(line, -SECONDS) < SECONDS:
            return False
        self._last[line] = now
        return True


_filter = _OnceInAWhile()


def quieten_aiokafka() -> None:
    """For the whole process; a second call does nothing."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_filter)

"""What a topic is called on the broker: `persistent://<tenant>/<namespace>/ringforge-<fleet>-<name>`."""

from __future__ import annotations

from urllib.parse import quote

from ringforge_core.ports.event_bus import Topic

PREFIX = "ringforge-"
_PARTITION = "-partition-"


class Names:
    def __init__(self, tenant: str, namespace: str) -> None:
        self.namespace = f"{tenant}/{namespace}"

    def of(self, topic: Topic) -> str:
        """The full name of a partitioned topic."""
        return f"persistent://{self.namespace}/{PREFIX}{quote(topic.fleet_id, safe='')}-{quote(topic.name, safe='')}"


def partitions_of(name: str, count: int) -> list[str]:
    """The full names of a topic's partitions, each a topic of its own to the broker."""
    return [f"{name}{_PARTITION}{number}" for number in range(count)]


def is_ours(partition: str) -> bool:
    """Whether the hub made that topic: others may live in the namespace."""
    return partition.rpartition("/")[2].startswith(PREFIX) and _PARTITION in partition


def may_hold(partition: str, topics: frozenset[str]) -> bool:
    """Whether events of these topic names can be in it; all when empty. A name may be the end of another."""
    name = partition.rpartition(_PARTITION)[0]
    return not topics or any(name.endswith(f"-{quote(topic, safe='')}") for topic in topics)

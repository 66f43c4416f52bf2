"""Entries in memory, encoded, so that reading one costs no database and no task.

What is here is never older than what this node has acknowledged: the events of a commit mark the entries that it changed
before anybody hears of it, and only a change's own maker, or a reading begun after the mark, fills them again. Of the
changes of other nodes it knows as soon as the bus brings their events.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from time import time
from typing import NamedTuple

import msgspec

from ringforge_core.mesh.memory.readings import Counter, Readings
from ringforge_core.mesh.memory.stored import StoredEntry, memory_entry
from ringforge_core.mesh.memory.writes import SECOND, TOPIC, no_entry
from ringforge_core.plugin import encode_message
from ringforge_core.ports.event_bus import Event

SLOT_BYTES = 1_000
"""What a slot takes beside its text, roughly."""

_TAIL = b"0}}"
"""How an encoded entry without readings ends: they are its last field, put in anew at each reading."""


class Slot:
    """What is known of one key. `text` is the reply up to its readings: None when it must be read, empty for no entry."""

    __slots__ = ("changes", "counter", "epoch", "event_id", "expires", "key", "seq", "text")

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.text: bytes | None = None
        self.expires = 0.0
        self.counter: Counter | None = None
        self.changes = 0
        """How many changes this node heard of since the slot is here."""
        self.event_id = ""
        """The newest of them, and its place in the log."""
        self.epoch, self.seq = "", 0


class Expected(NamedTuple):
    """A reading of the database that is on its way, and what must still be so when it arrives."""

    slot: Slot
    changes: int


class EntryCache:
    """Holds what was read last, up to `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.readings = Readings()
        self._limit = limit
        self._size = 0
        self._slots: OrderedDict[tuple[str, str], Slot] = OrderedDict()

    def read(self, fleet_id: str, key: str) -> bytes | None:
        """The encoded reply, counted as a reading; None when the database must be asked. `NotFound` for no entry."""
        slot = self._slots.get((fleet_id, key))
        if slot is None or slot.text is None:
            return None
        self._slots.move_to_end(slot.key)
        if slot.counter is None or slot.expires <= time():
            raise no_entry()
        return b"%b%d}}" % (slot.text, self.readings.count(slot.counter))

    def expect(self, fleet_id: str, key: str) -> Expected:
        """Call it before the database is read, and `fill` after."""
        slot = self._slots.get((fleet_id, key))
        if slot is None:
            slot = self._slots[fleet_id, key] = Slot((fleet_id, key))
            self._size += SLOT_BYTES
        return Expected(slot, slot.changes)

    def fill(self, expected: Expected, entry: StoredEntry | None) -> bytes:
        """Keep what was read, unless it changed meanwhile; returns the reply. `NotFound` for no entry."""
        slot = expected.slot
        if slot.changes == expected.changes and self._slots.get(slot.key) is slot:
            self._keep(slot, entry)
        if entry is None:
            raise no_entry()
        counter = slot.counter if slot.counter is not None and slot.counter.id == entry.id else _counter(entry)
        return b"%b%d}}" % (_head(entry), self.readings.count(counter))

    def written(self, event_id: str, entry: StoredEntry) -> None:
        """Take over the outcome of a change, if the key is here and nothing has changed it since."""
        slot = self._slots.get((entry.fleet_id, entry.key))
        if slot is not None and slot.event_id == event_id:
            self._keep(slot, entry)

    def changed(self, events: Iterable[Event]) -> None:
        """What this node committed: the entries must be read again."""
        for event in events:
            if event.topic == TOPIC and (slot := self._slots.get((event.fleet_id, event.key))) is not None:
                self._mark(slot, event)

    def changed_elsewhere(self, event: Event) -> None:
        """What any hub committed, this one among them: its own changes are known already."""
        slot = self._slots.get((event.fleet_id, event.key))
        if slot is not None and (slot.epoch != event.epoch or slot.seq < event.seq):
            self._mark(slot, event)

    def forget(self, fleet_id: str) -> None:
        """Nothing is known of the fleet any more."""
        for key in [key for key in self._slots if key[0] == fleet_id]:
            slot = self._slots.pop(key)
            slot.changes += 1
            self._size -= SLOT_BYTES + len(slot.text or b"")

    def _mark(self, slot: Slot, event: Event) -> None:
        slot.changes += 1
        slot.event_id, slot.epoch, slot.seq = event.event_id, event.epoch, event.seq
        self._put(slot, None)

    def _keep(self, slot: Slot, entry: StoredEntry | None) -> None:
        if entry is None:
            slot.counter = None
            return self._put(slot, b"")
        if slot.counter is None or slot.counter.id != entry.id:
            slot.counter = _counter(entry)
        slot.counter.known = entry.access_count
        slot.expires = math.inf if entry.expires_at is None else entry.expires_at / SECOND
        return self._put(slot, _head(entry))

    def _put(self, slot: Slot, text: bytes | None) -> None:
        self._size += len(text or b"") - len(slot.text or b"")
        slot.text = text
        while self._size > self._limit and self._slots:
            _, evicted = self._slots.popitem(last=False)
            self._size -= SLOT_BYTES + len(evicted.text or b"")


def _counter(entry: StoredEntry) -> Counter:
    return Counter(entry.tenant_id, entry.fleet_id, entry.key, entry.id, entry.access_count)


def _head(entry: StoredEntry) -> bytes:
    return encode_message(memory_entry(msgspec.structs.replace(entry, access_count=0))).removesuffix(_TAIL)

"""What of the shared memory differs between the two databases: the index of words, and a few expressions."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB

from ringforge_core.mesh.memory.stored import COLUMNS, StoredEntry, stored_entry
from ringforge_core.mesh.memory.tables import memory_entries, memory_history
from ringforge_core.mesh.memory.words import GRAM, grams_of
from ringforge_core.ports.store import Transaction

EntryKey = tuple[str, str, str]
"""Tenant, fleet and key."""

_KEPT_ON_CONFLICT = {"tenant_id", "fleet_id", "key", "access_count"}
_READINGS = sa.select(memory_entries.c.id, memory_entries.c.access_count)
_NUMBER = (
    sa.select(memory_entries.c.number)
    .where(
        memory_entries.c.tenant_id == sa.bindparam("of_tenant_id"),
        memory_entries.c.fleet_id == sa.bindparam("of_fleet_id"),
        memory_entries.c.key == sa.bindparam("of_key"),
    )
    .scalar_subquery()
)
"""The number of the entry that a row of `index` or `forget` names."""


class MemoryDatabase(ABC):
    """Its statements, and what they take: `find_many` and `find_readings` take `wanted`, the JSON text of `EntryKey`s;
    `upsert` takes rows of `StoredEntry`, `keep_former` rows of `memory_history`.

    `index` takes rows of `row` and puts the entry's words into the index in place of those that it had; `forget`
    takes rows of `key_row` and takes them out.
    """

    find_many: sa.Select[Any]
    find_readings: sa.Select[Any]
    upsert: sa.Insert
    keep_former: sa.Insert
    index: sa.Insert
    forget: sa.Delete
    words: sa.FromClause
    """The index. Its column `words` is the words of an entry, with a space between."""
    words_of_entry: sa.ColumnElement[bool]
    """Joins `words` to `memory_entries`."""

    def read_many(self, tx: Transaction, keys: Collection[EntryKey]) -> dict[EntryKey, StoredEntry]:
        """The entries of these keys, deleted ones too, as they will be until this transaction changes them."""
        rows = tx.execute(self.find_many, {"wanted": msgspec.json.encode(keys).decode()})
        entries = [stored_entry(row) for row in rows]
        return {(entry.tenant_id, entry.fleet_id, entry.key): entry for entry in entries}

    def read_readings(self, tx: Transaction, keys: Collection[EntryKey]) -> dict[str, int]:
        """How often the entries of these keys were read, by their ids."""
        rows = tx.execute(self.find_readings, {"wanted": msgspec.json.encode(keys).decode()})
        return {row.id: row.access_count for row in rows}

    @abstractmethod
    def row(self, key: EntryKey, words: Sequence[str]) -> dict[str, Any]:
        """A row for `index`."""

    def matches(self, fleet_id: str, words: Sequence[str]) -> sa.ColumnElement[bool]:
        """Whether each of these words is somewhere in the words of the entry."""
        short = [self._holds(word) for word in words if len(word) < GRAM]
        return sa.and_(self._matches_index(fleet_id, [word for word in words if len(word) >= GRAM]), *short)

    def relevance(self, words: Sequence[str]) -> sa.ColumnElement[Any]:
        """To be sorted by, descending: how often the words occur."""
        text = self.words.c.words
        return sum(
            (
                (sa.func.length(text) - sa.func.length(sa.func.replace(text, word, ""))) / sa.literal_column(str(len(word)))
                for word in dict.fromkeys(words)
            ),
            start=sa.literal_column("0"),
        )

    @abstractmethod
    def _matches_index(self, fleet_id: str, words: Sequence[str]) -> sa.ColumnElement[bool]:
        """`matches` for words of `GRAM` characters and more; there may be none."""

    @abstractmethod
    def _holds(self, word: str) -> sa.ColumnElement[bool]:
        """Whether the word is somewhere in the words of the entry, without the index."""

    @abstractmethod
    def has_tags(self, tags: Sequence[str]) -> sa.ColumnElement[bool]:
        """Whether the entry has all of these tags."""

    @abstractmethod
    def byte_length(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
        """The length of a text in bytes."""


class SqliteMemory(MemoryDatabase):
    """The index is a table of FTS5, its rows numbered as the entries; its grams are those of the tokenizer `trigram`."""

    words = sa.table("memory_words", sa.column("rowid"), sa.column("fleet"), sa.column("words"))
    # The plus keeps SQLite from searching the index anew for each entry of the fleet, a thousand times the work.
    words_of_entry = sa.literal_column("+memory_words.rowid", sa.BigInteger) == memory_entries.c.number

    def __init__(self) -> None:
        wanted = sa.func.json_each(sa.bindparam("wanted", type_=sa.Text)).table_valued("value")
        found = _join(wanted, [sa.func.json_extract(wanted.c.value, f"$[{place}]") for place in range(3)])
        self.find_many, self.find_readings = sa.select(*COLUMNS).select_from(found), _READINGS.select_from(found)
        insert = sqlite.insert(memory_entries).values(indexed=sa.false())
        self.upsert = insert.on_conflict_do_update(**_update_entry(insert.excluded)).inline()
        former = sqlite.insert(memory_history)
        self.keep_former = former.on_conflict_do_update(**_update_slot(former.excluded))
        self.index = (
            sa.insert(self.words)
            .prefix_with("OR REPLACE")  # one statement a row: an upsert by way of SELECT would flush the index each time
            .values(rowid=_NUMBER, fleet=sa.bindparam("fleet"), words=sa.bindparam("words"))
        )
        self.forget = sa.delete(self.words).where(self.words.c.rowid == _NUMBER)

    def row(self, key: EntryKey, words: Sequence[str]) -> dict[str, Any]:
        return {**key_row(key), "fleet": fleet_gram(key[1]), "words": " ".join(words)}

    def _matches_index(self, fleet_id: str, words: Sequence[str]) -> sa.ColumnElement[bool]:
        query = " AND ".join([f'fleet : "{fleet_gram(fleet_id)}"', *(f'words : "{word}"' for word in words)])
        return sa.literal_column("memory_words").op("MATCH", is_comparison=True)(query)

    def _holds(self, word: str) -> sa.ColumnElement[bool]:
        return sa.func.instr(self.words.c.words, word) > 0

    def has_tags(self, tags: Sequence[str]) -> sa.ColumnElement[bool]:
        return sa.and_(*(self._has_tag(tag) for tag in tags))

    def _has_tag(self, tag: str) -> sa.ColumnElement[bool]:
        each = sa.func.json_each(memory_entries.c.tags).table_valued("value")
        return sa.exists(sa.select(1).select_from(each).where(each.c.value == tag))

    def byte_length(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
        return sa.func.length(sa.cast(column, sa.LargeBinary), type_=sa.Integer)


class PostgresMemory(MemoryDatabase):
    """The index is a table of grams under GIN, made here: the extension `pg_trgm` is not everywhere, and folds letters in
    its own way. Hubs take turns at a fleet's entries, by an advisory lock."""

    words = sa.table(
        "memory_words",
        sa.column("number", sa.BigInteger),
        sa.column("words", sa.Text),
        sa.column("grams", postgresql.ARRAY(sa.Text)),
    )
    words_of_entry = words.c.number == memory_entries.c.number

    def __init__(self) -> None:
        array = sa.cast(sa.bindparam("wanted", type_=sa.Text), JSONB)
        wanted = sa.func.jsonb_array_elements(array).table_valued(sa.column("value", JSONB))
        found = _join(wanted, [wanted.c.value[place].astext for place in range(3)])
        self.find_many, self.find_readings = sa.select(*COLUMNS).select_from(found), _READINGS.select_from(found)
        insert = postgresql.insert(memory_entries).values(indexed=sa.false())
        self.upsert = insert.on_conflict_do_update(**_update_entry(insert.excluded)).inline()
        former = postgresql.insert(memory_history)
        self.keep_former = former.on_conflict_do_update(**_update_slot(former.excluded))
        values = {name: sa.bindparam(name, type_=self.words.c[name].type) for name in ("words", "grams")}
        index = postgresql.insert(self.words).values(number=_NUMBER, **values)
        self.index = index.on_conflict_do_update(
            index_elements=[self.words.c.number], set_={name: index.excluded[name] for name in values}
        )
        self.forget = sa.delete(self.words).where(self.words.c.number == _NUMBER)
        self._lock = sa.text(
            "SELECT pg_advisory_xact_lock(hashtextextended(fleet_id, 0))"
            " FROM (SELECT unnest(CAST(:fleets AS text[])) AS fleet_id ORDER BY 1) AS sorted"
        )

    def read_many(self, tx: Transaction, keys: Collection[EntryKey]) -> dict[EntryKey, StoredEntry]:
        tx.execute(self._lock, {"fleets": sorted({fleet_id for _, fleet_id, _ in keys})})
        return super().read_many(tx, keys)

    def row(self, key: EntryKey, words: Sequence[str]) -> dict[str, Any]:
        return {**key_row(key), "words": " ".join(words), "grams": grams_of(words)}

    def _matches_index(self, fleet_id: str, words: Sequence[str]) -> sa.ColumnElement[bool]:
        return sa.and_(self.words.c.grams.contains(grams_of(words)), *map(self._holds, words))

    def _holds(self, word: str) -> sa.ColumnElement[bool]:
        return sa.func.strpos(self.words.c.words, word) > 0

    def has_tags(self, tags: Sequence[str]) -> sa.ColumnElement[bool]:
        return sa.cast(memory_entries.c.tags, JSONB).contains(list(tags))

    def byte_length(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
        return sa.func.octet_length(column, type_=sa.Integer)


def memory_database(dialect: str) -> MemoryDatabase:
    return PostgresMemory() if dialect == "postgresql" else SqliteMemory()


_FIRST_LETTER, _LETTERS = 0x4E00, 20_000


@lru_cache
def fleet_gram(fleet_id: str) -> str:
    """The fleet as one gram of the index, so that a search does not go through the words of others.

    Of two fleets that have the same, the search tells them apart by the entries' own column.
    """
    number = int.from_bytes(hashlib.sha256(fleet_id.encode()).digest()[:8])
    letters = (number // _LETTERS**place % _LETTERS for place in range(GRAM))
    return "".join(chr(_FIRST_LETTER + letter) for letter in letters)


def key_row(key: EntryKey) -> dict[str, str]:
    """A row for `forget`."""
    return {"of_tenant_id": key[0], "of_fleet_id": key[1], "of_key": key[2]}


def _join(wanted: sa.FromClause, parts: Sequence[sa.ColumnElement[Any]]) -> sa.Join:
    tenant_id, fleet_id, key = parts
    table = memory_entries.c
    is_wanted = sa.and_(table.tenant_id == tenant_id, table.fleet_id == fleet_id, table.key == key)
    return wanted.join(memory_entries, is_wanted)


def _update_entry(excluded: Any) -> dict[str, Any]:
    """Take everything over, but for the readings: they go on unless the entry is another one by now."""
    table = memory_entries.c
    taken: dict[str, Any] = {
        column.name: excluded[column.name] for column in COLUMNS if column.name not in _KEPT_ON_CONFLICT
    }
    readings = sa.case((table.id == excluded.id, table.access_count), else_=0)
    return {
        "index_elements": [table.fleet_id, table.key],
        "set_": {**taken, "access_count": readings, "indexed": sa.false()},
        "where": table.tenant_id == excluded.tenant_id,
    }


def _update_slot(excluded: Any) -> dict[str, Any]:
    identity = tuple(memory_history.primary_key)
    return {
        "index_elements": identity,
        "set_": {column.name: excluded[column.name] for column in memory_history.c if column not in identity},
    }

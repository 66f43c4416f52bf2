"""Run a statement over many rows with little ado: compiled once, each row a tuple.

SQLAlchemy's own way costs for each row about as much as SQLite needs to write it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from ringforge_core.ports.store import Rows


class PreparedStatements:
    """Remembers statements from their second use on: those of a module are met again, those made for one call are not."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[sa.Executable, dict[frozenset[str], _Prepared | None]] = WeakKeyDictionary()

    def execute(self, connection: sa.Connection, statement: sa.Executable, rows: Rows) -> sa.CursorResult[Any]:
        prepared = self._find(connection.dialect, statement, rows)
        if prepared is None:
            return connection.execute(statement, rows)
        return connection.exec_driver_sql(prepared.sql, prepared.parameters(rows))

    def _find(self, dialect: sa.Dialect, statement: sa.Executable, rows: Rows) -> _Prepared | None:
        if not isinstance(statement, (sa.Insert, sa.Update, sa.Delete)):
            return None
        shapes = self._known.get(statement)
        if shapes is None:
            self._known[statement] = {}
            return None
        shape = frozenset(rows[0])
        if shape not in shapes:
            shapes[shape] = _prepare(dialect, statement, sorted(shape))
        return shapes[shape]


class _Prepared:
    """The SQL text, the names of its parameters in order, their fixed values, and what makes a value the driver's."""

    def __init__(
        self,
        sql: str,
        names: Sequence[str],
        fixed: Mapping[str, Any],
        processors: Mapping[str, Callable[[Any], Any]],
    ) -> None:
        self.sql = sql
        self._names = names
        self._fixed = fixed
        self._processors = processors

    def parameters(self, rows: Rows) -> list[tuple[Any, ...]]:
        """By columns, which is a third of the work of going by rows."""
        columns = [self._column(name, rows) for name in self._names]
        return list(zip(*columns, strict=True))

    def _column(self, name: str, rows: Rows) -> list[Any]:
        values = [self._fixed[name]] * len(rows) if name in self._fixed else [row[name] for row in rows]
        process = self._processors.get(name)
        return values if process is None else [process(value) for value in values]


def _prepare(dialect: sa.Dialect, statement: sa.Insert | sa.Update | sa.Delete, columns: list[str]) -> _Prepared | None:
    """None when the statement needs more of SQLAlchemy than its text: defaults, lists, returned rows."""
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    if not isinstance(compiled, SQLCompiler) or compiled.positiontup is None:
        return None
    if compiled.prefetch or compiled.effective_returning or compiled.post_compile_params or compiled.literal_execute_params:
        return None
    processors = {}
    for name, parameter in compiled.binds.items():
        process = parameter.type.dialect_impl(dialect).bind_processor(dialect)
        if process is not None:
            processors[name] = process
    fixed = {name: value for name, value in compiled.params.items() if name not in columns}
    return _Prepared(compiled.string, compiled.positiontup, fixed, processors)

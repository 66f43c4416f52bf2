"""Rows by many values of one column."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from ringforge_core.ports.store import Transaction

SLICE = 500
"""Values in one IN list, far below the bound parameters that any database allows."""


def select_in(
    transaction: Transaction, query: sa.Select[Any], column: sa.Column[Any], values: Collection[str]
) -> Iterator[dict[str, Any]]:
    """The rows of the query whose column has one of the values, each as a dict of its own."""
    ordered = sorted(values)
    for start in range(0, len(ordered), SLICE):
        for row in transaction.execute(query.where(column.in_(ordered[start : start + SLICE]))).mappings():
            yield dict(row)

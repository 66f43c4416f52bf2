"""What differs between the two databases: how to open, who writes, and how a read begins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ringforge_core.store.commit import Committer
from ringforge_core.store.failures import is_lost, translated
from ringforge_core.store.writer import Listener, Writer

Found = TypeVar("Found")


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


FAST_JSON: dict[str, Any] = {"json_serializer": _encode_json, "json_deserializer": msgspec.json.decode}
"""Engine options: JSON columns are a good part of the work of a commit."""


class Database(ABC):
    """An opened database: `readers` is its pool of connections for reading."""

    dialect: ClassVar[str]
    readers: AsyncEngine

    @abstractmethod
    async def open(self, migrations: Sequence[str], *, exclusive: bool) -> None:
        """Claim, migrate, and make the engines. Leaves nothing open when it raises."""

    @abstractmethod
    def writer(self, committer: Committer, listeners: Sequence[Listener]) -> Writer:
        """The one that commits."""

    @abstractmethod
    async def close(self) -> None:
        """Give everything back."""

    async def read(self, query: Callable[[sa.Connection], Found]) -> Found:
        """A read that meets a connection lost while it was idle is run once more, on a new one."""
        try:
            try:
                return await self._read(query)
            except sa.exc.DBAPIError as error:
                if not is_lost(error):
                    raise
                return await self._read(query)
        except Exception as error:
            meaning = translated(error)
            if meaning is error:
                raise
            raise meaning from error

    async def _read(self, query: Callable[[sa.Connection], Found]) -> Found:
        async with self.readers.connect() as connection:
            return await connection.run_sync(query)

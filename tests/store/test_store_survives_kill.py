"""An acknowledged change survives SIGKILL of its process, at any moment."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ringforge_core.store import SqlStore
from ringforge_core.testkit.postgres import PostgresServer
from ringforge_core.testkit.store_changes import stored_keys, the_log

WRITE_UNTIL_KILLED = """
import asyncio, sys
from ringforge_core.store import SqlStore
from ringforge_core.testkit.store_changes import a_put, make_entries, put

async def one_caller(store):
    while True:
        command = a_put()
        await store.apply(put, command)
        print(command.event.event_id, flush=True)

async def main():
    store = SqlStore(sys.argv[1])
    await store.open()
    await store.apply(make_entries, None)
    await asyncio.gather(*(one_caller(store) for _ in range(50)))

asyncio.run(main())
"""


def _acknowledged_before_the_kill(url: str, at_least: int) -> list[str]:
    writer = subprocess.Popen([sys.executable, "-c", WRITE_UNTIL_KILLED, url], stdout=subprocess.PIPE, text=True)  # noqa: S603 — our own code
    try:
        assert writer.stdout is not None
        first = [writer.stdout.readline() for _ in range(at_least)]
    finally:
        writer.kill()
        rest = writer.stdout.read()  # type: ignore[union-attr]  # not `communicate`, which skips what is buffered already
        writer.wait(timeout=30)
    return [line.strip() for line in [*first, *rest.splitlines(keepends=True)] if line.endswith("\n") and line.strip()]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_nothing_acknowledged_is_lost(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    if database == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = await server.new_database()
    acknowledged: list[str] = []
    for at_least in (101, 333, 777):
        acknowledged += await asyncio.to_thread(_acknowledged_before_the_kill, url, at_least)
    store = SqlStore(url)
    await store.open()
    log = await the_log(store)
    stored = [event.event_id for event in log]
    assert len(acknowledged) >= 101 + 333 + 777
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)) == len(await stored_keys(store))
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    await store.close()

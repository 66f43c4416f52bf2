"""The Store on SQL: SQLite without a server, PostgreSQL for several hubs.

    store = SqlStore("sqlite:///ringforge-data/hub.db")
    await store.open()

One writer commits for all who wait (`commit`, `writer`), numbers the events of each fleet (`log`), counts them by the
minute (`event_counts`) and keeps the replies of idempotency keys (`once`); reads go to a pool of their own (`replay`).
"""

from ringforge_core.store.bookkeeping import Bookkeeping
from ringforge_core.store.event_counts import read_counts
from ringforge_core.store.replay import read_heads
from ringforge_core.store.settings import StoreSettings
from ringforge_core.store.store import SqlStore

__all__ = ["Bookkeeping", "SqlStore", "StoreSettings", "read_counts", "read_heads"]

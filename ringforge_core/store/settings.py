"""The table `[store]` of the TOML."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class StoreSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the state lives and how changes are committed."""

    url: Annotated[
        str,
        Meta(
            description="`sqlite:///path/hub.db` or `postgresql://user:password@host/database`; also file: or env:.",
            extra={"reference": True},
        ),
    ] = "sqlite:///ringforge-data/hub.db"
    queue_size: Annotated[
        int, Meta(ge=1, description="Changes that may wait for a commit; one more is answered with `backpressure`.")
    ] = 10_000
    commit_size: Annotated[int, Meta(ge=1, description="Changes that share one commit at most.")] = 512
    read_connections: Annotated[int, Meta(ge=1, description="Database connections for reading.")] = 4
    busy_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long to wait for a lock, a connection, or the return of a lost database.")
    ] = 5.0
    idempotency_seconds: Annotated[
        float, Meta(gt=0, description="How long the reply to an idempotency key is remembered.")
    ] = 300.0
    sweep_seconds: Annotated[float, Meta(gt=0, description="How often expired idempotency keys are deleted.")] = 60.0

"""`Idempotency-Key`: a writing route that is called again with the same key gives the first answer again and does nothing.

    Router(…, guards=[only_administrators(…)], dependencies={"once": Provide(once_of)})

    @post("/fleets")
    async def create(self, data: CreateFleet, store: Store, once: Once | None) -> Fleet:
        return await create_fleet(store, …, once=once)

The guard leaves the administrator, who owns the key, in the connection's state. A route takes `once` and hands it to the
one `Store.apply` that makes its change; `identity.repeatable.apply_once` gives the kept result of a repeat back as the
struct that it was. The key, the change and its result are committed together, so this holds under races, after a restart
and between hubs. For a repeat to get the same status and body, the body must follow from the result alone, and the status
be the route's own. A refusal is not kept: it may be tried again with the same key.

Method, path, query and body are the fingerprint: the same key with another request is refused with `idempotency_conflict`
(409). Kept results are encrypted under the caller's API key, of which the hub has only a digest: so a result may hold a
secret that is shown once. They are kept for `[store] idempotency_seconds`.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from litestar import Request
from litestar.params import HeaderParameter

from ringforge_core.http.bearer import bearer_token
from ringforge_core.identity.administrators import Administrator
from ringforge_core.ports.store import Once

OPERATION = "http"
"""One for all routes: a key that was used for one route is not free for another."""

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", min_length=1, max_length=200, required=False,
        description="Repeat a request with the same key and it is done once; the answer is the first one's.",
    ),
]  # fmt: skip


async def once_of(request: Request[Any, Any, Any], idempotency_key: IdempotencyKey = None) -> Once | None:
    """The dependency `once`; None without the header."""
    if idempotency_key is None:
        return None
    administrator: Administrator = request.state.administrator
    target = f"{request.method} {request.url.path}?{request.url.query or ''}\n".encode()
    return Once(
        tenant_id=administrator.tenant_id,
        owner_id=administrator.key_id,
        operation=OPERATION,
        key=idempotency_key,
        fingerprint=hashlib.sha256(target + await request.body()).digest(),
        secret=hashlib.sha256(b"idempotency " + (bearer_token(request.headers) or "").encode()).digest(),
    )

"""Who did what in the tenant."""

from __future__ import annotations

from litestar import Controller, get

from ringforge_dashboard.desk import Answer, AtDesk

SHOWN = 50


class AuditPages(Controller):
    path = "/audit"

    @get("/", opt={"role": "admin"})
    async def show(self, desk: AtDesk) -> Answer:
        action, before = desk.query.get("action", "").strip()[:100], desk.query.get("before", "")
        before_seq = int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None
        entries = await desk.administration.audit(
            desk.tenant_id, before_seq=before_seq, action=action or None, limit=SHOWN + 1
        )
        older = str(entries[SHOWN - 1].seq) if len(entries) > SHOWN else None
        return desk.page("audit.html", title="Audit", entries=entries[:SHOWN], action=action, older=older)

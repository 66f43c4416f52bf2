"""The cursors of a history, against what was written."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ringforge_core.identity import now
from ringforge_core.identity.tables import fleets, tenants
from ringforge_core.mesh.direct.history import ConversationQuery, read_page
from ringforge_core.mesh.direct.tables import conversation_of, direct_messages

PEOPLE = ("ag_a", "ag_b", "ag_c", "dashboard")
FLEETS = (("t1", "f1"), ("t1", "f2"), ("t2", "f1"))
Sent = tuple[tuple[str, str], str, str]
_pairs = st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)).filter(lambda pair: pair[0] != pair[1])
_sent = st.tuples(st.sampled_from(FLEETS), _pairs).map(lambda sent: (sent[0], *sent[1]))


@given(sent=st.lists(_sent, max_size=40), viewer=st.sampled_from(PEOPLE), limit=st.integers(1, 7))
def test_walking_back_gives_each_message_of_a_conversation_once(sent: list[Sent], viewer: str, limit: int) -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        direct_messages.metadata.create_all(connection, tables=[tenants, fleets, direct_messages])
        for number, (scope, sender, recipient) in enumerate(sent):
            connection.execute(direct_messages.insert().values(_row(number, scope, sender, recipient)))
        for tenant_id, fleet_id in FLEETS:
            for partner in PEOPLE:
                walked: list[int] = []
                before = None
                while True:
                    query = ConversationQuery(tenant_id, fleet_id, viewer, partner, limit, before)
                    found = read_page(connection, query)
                    assert found is not None
                    assert len(found.envelopes) <= limit
                    walked = [msgspec.json.decode(envelope) for envelope in found.envelopes] + walked
                    before = found.before
                    if before is None:
                        break
                    assert len(found.envelopes) == limit, "another page follows only after a full one"
                expected = [
                    number
                    for number, (scope, sender, recipient) in enumerate(sent)
                    if scope == (tenant_id, fleet_id) and {sender, recipient} == {viewer, partner}
                ]
                assert walked == expected
    engine.dispose()


def _row(number: int, scope: tuple[str, str], sender: str, recipient: str) -> dict[str, Any]:
    return {
        "message_id": f"msg_{number}", "tenant_id": scope[0], "fleet_id": scope[1],
        "conversation": conversation_of(sender, recipient), "sender_id": sender, "recipient_id": recipient,
        "envelope": str(number), "size": len(str(number)), "status": "queued", "at": now(),
    }  # fmt: skip

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ringforge_core.identity import iso, key_prefix, new_agent_id, new_api_key, new_event_id, new_id, new_uuid, now


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (new_agent_id, r"ag_[0-9A-Za-z]{12}"),
        (new_event_id, r"evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        (lambda: new_id("msg"), r"msg_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        (new_uuid, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        (lambda: new_api_key("live"), r"rf_live_[0-9A-Za-z]{32}"),
        (lambda: new_api_key("admin"), r"rf_admin_[0-9A-Za-z]{32}"),
    ],
    ids=["agent", "event", "message", "uuid", "live key", "admin key"],
)
def test_d25_ids_have_their_form_and_come_from_no_seeded_generator(make: Callable[[], str], form: str) -> None:
    drawn = set()
    for _ in range(200):
        random.seed(1)
        drawn.add(make())
    assert len(drawn) == 200
    assert all(re.fullmatch(form, made) for made in drawn)


def test_d26_prefixes_tell_keys_of_one_kind_apart() -> None:
    prefixes = {key_prefix(new_api_key("live")) for _ in range(20)}
    assert len(prefixes) == 20
    assert {len(prefix) for prefix in prefixes} == {12}


def test_instants_are_written_in_utc_with_microseconds() -> None:
    noon = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
    assert iso(noon) == "2026-01-31T12:00:00.000000Z"
    assert iso(noon.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2026-01-31T12:00:00.000000Z"
    assert datetime.fromisoformat(iso(now())).tzinfo is not None

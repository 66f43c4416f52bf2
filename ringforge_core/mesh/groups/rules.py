"""What bounds groups: how many, how large, and the settings that the hub acts on."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ringforge_core.errors import InvalidPayload, LimitReached

MEMBERS_AT_MOST = 1_000
"""Members of any group; `settings.max_members` may ask for fewer."""
GROUPS_AT_MOST = 5_000
"""Active groups of one fleet."""
SETTINGS_BYTES = 16_384
MESSAGE_BYTES = 100_000
RESULT_BYTES = 100_000


class GroupRules(msgspec.Struct):
    """The settings that the hub acts on. With `auto_join`, whoever joins the hub is a member, unless it left the group."""

    max_members: Annotated[int, Meta(ge=1, le=MEMBERS_AT_MOST)] = MEMBERS_AT_MOST
    auto_join: bool = False


def parse_rules(settings: dict[str, Any]) -> GroupRules:
    """Raises `InvalidPayload` for a wrong value, `LimitReached` for settings of more than 16 KB; other keys are free."""
    check_size("settings", settings, SETTINGS_BYTES)
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        return msgspec.convert(given, GroupRules)
    except msgspec.ValidationError as error:
        raise InvalidPayload(f"settings: {error}.", field="settings") from None


def check_size(field: str, value: Any, limit: int) -> None:
    """Raises `LimitReached` when the value is larger as JSON than `limit` bytes."""
    if len(msgspec.json.encode(value)) > limit:
        raise LimitReached(
            f"{field} is larger than {limit} bytes.",
            reason="payload_too_large",
            field=field,
            fix="Keep large data in memory or files and refer to it.",
        )

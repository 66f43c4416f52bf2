"""A Pulsar Function: routes alerts to a topic, whole and unchanged, for pagers and chat rooms.

User configuration: `kinds`, the kinds of activity that pass, and `most_minutes_old`: what was found late and is older is no
alert any more.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from pulsar import Context, Function


class AlertFilter(Function):  # type: ignore[misc]  # pulsar-client is not annotated
    def process(self, input: str, context: Context) -> str | None:
        """Returns the event when it passes; what is returned goes to the function's output topic."""
        event = _event(input)
        if event is None or event.get("kind") not in context.get_user_config_value("kinds"):
            return None
        age = time.time() - datetime.fromisoformat(event["at"]).timestamp()
        return input if age <= 60 * context.get_user_config_value("most_minutes_old") else None


def _event(text: str) -> dict[str, Any] | None:
    """None for what is no event."""
    try:
        event = json.loads(text)
    except (ValueError, TypeError):
        return None
    return event if isinstance(event, dict) and "at" in event else None

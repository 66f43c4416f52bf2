"""What the hub refuses, said to a person: the wire's words are for agents and the programs that run them."""

from __future__ import annotations

import math

from ringforge_core.errors import Backpressure, LimitReached, Refused, RingforgeError

Refusal = Refused | Backpressure
"""What a form is answered with, on its own page: nothing was done, and what was written is still there."""
REFUSALS = (Refused, Backpressure)

RESOURCES = {
    "connected_agents": "Connected agents", "messages_today": "Messages today", "memory_entries": "Memory entries",
    "fleets": "Fleets", "storage_bytes": "Storage",
}  # fmt: skip


def for_people(error: RingforgeError) -> RingforgeError:
    """The same error in other words."""
    if isinstance(error, Backpressure):
        return _said(error, "The hub cannot take this right now: its event bus does not keep up.", "Send it again soon.")
    if isinstance(error, LimitReached) and error.reason == "rate_limited":
        seconds = math.ceil(error.extras.get("retry_after_ms", 1000) / 1000)
        return _said(error, "That was too fast for your plan.", f"Send it again in {seconds} s.")
    if isinstance(error, LimitReached) and error.extras.get("resource") in RESOURCES:
        resource, limit = error.extras["resource"], error.extras["limit"]
        later = "Wait until 00:00 UTC" if "resets_at" in error.extras else "Delete some"
        return _said(
            error, f"{RESOURCES[resource]}: all {limit} of your plan are used.", f"{later}, or take a larger plan."
        )
    return error


def status_of(error: RingforgeError) -> int:
    return 503 if isinstance(error, Backpressure) else 429 if error.reason == "rate_limited" else 400


def _said(error: RingforgeError, message: str, fix: str) -> RingforgeError:
    return RingforgeError(message, reason=error.reason, fix=fix, **error.extras)

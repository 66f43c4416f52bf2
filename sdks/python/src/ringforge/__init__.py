"""Connect an agent to a Ringforge hub.

async with Agent("ws://127.0.0.1:4000", api_key="rf_live_…", name="builder") as agent:
    await agent.presence.update(state="busy", task="compiling")
    await agent.activity.broadcast("task_started", "Compiling", tags=["build"])
    async for event in agent.activity:
        print(event.sender.name, event.kind, event.description)
"""

from ringforge.activity import Activity, ActivityEvent, Kind, Scope, Sender
from ringforge.agent import Agent
from ringforge.errors import (
    AuthenticationError,
    Conflict,
    ConnectionLost,
    Forbidden,
    InvalidPayload,
    Kicked,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    RingforgeError,
    UnexpectedReply,
)
from ringforge.log import Gap, Position, Push
from ringforge.presence import Presence
from ringforge.replay import Replay, ReplayPage
from ringforge.roster import Change, Changes, Joined, Left, RosterEntry, State, StateChanged
from ringforge.stream import Stream

__version__ = "0.2.0"

__all__ = [
    "Activity",
    "ActivityEvent",
    "Agent",
    "AuthenticationError",
    "Change",
    "Changes",
    "Conflict",
    "ConnectionLost",
    "Forbidden",
    "Gap",
    "InvalidPayload",
    "Joined",
    "Kicked",
    "Kind",
    "Left",
    "NotFound",
    "Position",
    "Presence",
    "Push",
    "QuotaExceeded",
    "RateLimited",
    "Replay",
    "ReplayPage",
    "RequestTimeout",
    "RingforgeError",
    "RosterEntry",
    "Scope",
    "Sender",
    "State",
    "StateChanged",
    "Stream",
    "UnexpectedReply",
]

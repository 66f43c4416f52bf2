"""Connect an agent to a Ringforge hub.

async with Agent("ws://127.0.0.1:4000", api_key="rf_live_…", name="builder") as agent:
    await agent.presence.update(state="busy", task="compiling")
    await agent.activity.broadcast("task_started", "Compiling", tags=["build"])
    async for event in agent.activity:
        print(event.sender.name, event.kind, event.description)
"""

from ringforge.activity import Activity, ActivityEvent, Kind, Scope, Sender
from ringforge.agent import Agent
from ringforge.direct_messages import DirectMessages
from ringforge.errors import (
    AuthenticationError,
    Conflict,
    ConnectionLost,
    Forbidden,
    InvalidPayload,
    KeyFileError,
    KeyPairRefused,
    Kicked,
    NoAnswer,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    RingforgeError,
    Undeliverable,
    UnexpectedReply,
    VersionConflict,
)
from ringforge.fleets import Fleet, Fleets
from ringforge.group_changes import (
    GroupChange,
    GroupCreated,
    GroupDissolved,
    GroupInvited,
    MemberJoined,
    MemberLeft,
    RoleChanged,
)
from ringforge.groups import Group, GroupMessage, Groups, Member, Posted
from ringforge.inbox import MessageStream
from ringforge.keys import Keys
from ringforge.log import Gap, Position, Push
from ringforge.memory import Memory
from ringforge.memory_entries import MemoryChange, MemoryEntry, MemoryPage, MemoryVersion, Written
from ringforge.messages import DirectMessage, IncomingMessage, Receipt, Sent, Typing
from ringforge.presence import Presence
from ringforge.profiles import Agents, Profile
from ringforge.replay import Replay, ReplayPage
from ringforge.roster import Change, Changes, Joined, Left, RosterEntry, State, StateChanged
from ringforge.stream import Stream

__version__ = "0.2.0"

__all__ = [
    "Activity",
    "ActivityEvent",
    "Agent",
    "Agents",
    "AuthenticationError",
    "Change",
    "Changes",
    "Conflict",
    "ConnectionLost",
    "DirectMessage",
    "DirectMessages",
    "Fleet",
    "Fleets",
    "Forbidden",
    "Gap",
    "Group",
    "GroupChange",
    "GroupCreated",
    "GroupDissolved",
    "GroupInvited",
    "GroupMessage",
    "Groups",
    "IncomingMessage",
    "InvalidPayload",
    "Joined",
    "KeyFileError",
    "KeyPairRefused",
    "Keys",
    "Kicked",
    "Kind",
    "Left",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "Memory",
    "MemoryChange",
    "MemoryEntry",
    "MemoryPage",
    "MemoryVersion",
    "MessageStream",
    "NoAnswer",
    "NotFound",
    "Position",
    "Posted",
    "Presence",
    "Profile",
    "Push",
    "QuotaExceeded",
    "RateLimited",
    "Receipt",
    "Replay",
    "ReplayPage",
    "RequestTimeout",
    "RingforgeError",
    "RoleChanged",
    "RosterEntry",
    "Scope",
    "Sender",
    "Sent",
    "State",
    "StateChanged",
    "Stream",
    "Typing",
    "Undeliverable",
    "UnexpectedReply",
    "VersionConflict",
    "Written",
]

"""What agents send and get about profiles; source: wire protocol 3.10."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from ringforge_core.identity.agent_changes import AgentPatch, AvatarUrl, Description, Tags
from ringforge_core.identity.agent_events import Profile
from ringforge_core.identity.claim import ShortText
from ringforge_core.mesh.fields import STORABLE
from ringforge_core.plugin import Reason, Reply, Request

INVALID = Reason("validation_failed")

AgentId = Annotated[str, Meta(max_length=100, pattern=STORABLE)]


class UpdateProfile(Request):
    """Only the fields given change; an empty text clears. `metadata` is replaced, but for the hub's own keys in it."""

    display_name: Annotated[ShortText | UnsetType, INVALID] = UNSET
    avatar_url: Annotated[AvatarUrl | UnsetType, INVALID] = UNSET
    description: Annotated[Description | UnsetType, INVALID] = UNSET
    tags: Annotated[Tags | UnsetType, INVALID] = UNSET
    metadata: Annotated[dict[str, Any] | UnsetType, INVALID] = UNSET

    def patch(self) -> AgentPatch:
        """Raises `InvalidPayload` for metadata that the agent may not have."""
        return AgentPatch(
            display_name=_or_none(self.display_name),
            avatar_url=_or_none(self.avatar_url),
            description=_or_none(self.description),
            tags=self.tags,
            metadata=self.metadata,
        )


class GetProfile(Request):
    """`agent_id` is your own when it is not given."""

    agent_id: AgentId | None = None


class ProfileReply(Profile, Reply):
    wire = "agent:profile"


class ListProfiles(Request):
    """`cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    cursor: Annotated[str, Meta(max_length=200)] | None = None


class Profiles(Reply):
    """The agents of your fleet, connected or not, newest first; `next_cursor` is null on the last page.

    A page may be shorter than `limit` when no more fit into one message.
    """

    wire = "agent:profiles"

    agents: list[Profile]
    count: int
    next_cursor: str | None


class Migrate(Request):
    fleet_id: AgentId


class Migrated(Reply):
    """The channel is closed after this; join `fleet:<fleet_id>` or `fleet:lobby` again."""

    wire = "agent:migrated"

    agent_id: str
    fleet_id: str
    message: str


def _or_none(text: str | UnsetType) -> str | UnsetType | None:
    return None if text == "" else text

"""What members write to their group: a letter in the inbox of every member, the sender among them.

Who is a member is read before the letter is made out; the write makes sure that the sender still may write. The event in
the log only tells other nodes of the letter: its push goes by the inbox alone, so a resume never doubles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from ringforge_core.errors import Refused
from ringforge_core.identity.ids import iso, new_id, now
from ringforge_core.identity.lookup import select_in
from ringforge_core.mesh.groups.membership import group_dissolved, not_member
from ringforge_core.mesh.groups.messages import GroupMessageSent, GroupType
from ringforge_core.mesh.groups.pushes import GroupMessage, Sender
from ringforge_core.mesh.groups.rows import of_fleet
from ringforge_core.mesh.groups.rules import MESSAGE_BYTES, check_size
from ringforge_core.mesh.groups.settings import GroupsSettings
from ringforge_core.mesh.groups.tables import group_members, groups
from ringforge_core.mesh.inbox import Letter, Parcel, put
from ringforge_core.plugin import AgentSession, encode_message
from ringforge_core.ports.event_bus import Audience, Event
from ringforge_core.ports.store import Transaction

TOPIC = "group_messages"
URGENT = ("high", "critical")


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """A group that is written to; `row_id` is its UUID."""

    row_id: str
    group_id: str
    type: GroupType
    members: tuple[str, ...]


class Post(msgspec.Struct, frozen=True):
    """A message on its way to the members of a group."""

    group: Addressed
    sender_id: str
    parcel: Parcel


def read_addressed(connection: sa.Connection, tenant_id: str, fleet_id: str, group_id: str) -> Addressed | None:
    """The group with its members, who is longest in it first; None when the fleet has no such group."""
    of_group = (groups.c.tenant_id == tenant_id, groups.c.fleet_id == fleet_id, groups.c.group_id == group_id)
    with_members = of_fleet([tenant_id]).join(groups, groups.c.id == group_members.c.group_row_id).where(*of_group)
    query = with_members.with_only_columns(groups.c.id, groups.c.type, group_members.c.agent_id)
    rows = connection.execute(query).all()
    if not rows:  # nobody is in it, or it is not there
        rows = connection.execute(sa.select(groups.c.id, groups.c.type, sa.null().label("agent_id")).where(*of_group)).all()
    if not rows:
        return None
    members = tuple(row.agent_id for row in rows if row.agent_id is not None)
    return Addressed(row_id=rows[0].id, group_id=group_id, type=rows[0].type, members=members)


def letter_of(agent: AgentSession, group: Addressed, message: Any, settings: GroupsSettings) -> Letter:
    """Raises `LimitReached` for a message of more than 100 KB."""
    check_size("message", message, MESSAGE_BYTES)
    message_id, at = new_id("msg"), now()
    push = GroupMessage(
        message_id=message_id,
        group_id=group.group_id,
        sender=Sender(agent.agent_id, agent.name),
        message=message,
        timestamp=iso(at),
    )
    urgent = isinstance(message, dict) and message.get("priority") in URGENT
    waits = settings.urgent_expires_seconds if urgent else settings.expires_seconds
    return Letter(
        tenant_id=agent.tenant_id,
        fleet_id=agent.fleet_id,
        message_id=message_id,
        push=GroupMessage.wire,
        body=msgspec.Raw(encode_message(push)),
        at=at,
        expires_at=at + timedelta(seconds=waits),
    )


def post_messages(tx: Transaction, posts: Sequence[Post]) -> list[GroupMessageSent | Refused]:
    """Queue the letters whose senders still may write."""
    statuses = _statuses_where_member(tx, posts)
    refusals = [_refusal(statuses.get((post.group.row_id, post.sender_id))) for post in posts]
    accepted = [post for post, refusal in zip(posts, refusals, strict=True) if refusal is None]
    unreached = iter(put(tx, [post.parcel for post in accepted]))
    for post in accepted:
        tx.append(_event(post))
    _keep_alive(tx, accepted)
    return [
        refusal or GroupMessageSent(message_id=post.parcel.letter.message_id, refused=dict(next(unreached)) or UNSET)
        for post, refusal in zip(posts, refusals, strict=True)
    ]


def _refusal(status: str | None) -> Refused | None:
    if status is None:
        return not_member()
    return group_dissolved() if status == "dissolved" else None


def _statuses_where_member(tx: Transaction, posts: Sequence[Post]) -> dict[tuple[str, str], str]:
    """The status of each group that one of the senders is a member of, by row id and agent id."""
    letters = [post.parcel.letter for post in posts]
    query = (
        of_fleet({letter.tenant_id for letter in letters})
        .join(groups, groups.c.id == group_members.c.group_row_id)
        .where(
            groups.c.fleet_id.in_({letter.fleet_id for letter in letters}),
            group_members.c.agent_id.in_({post.sender_id for post in posts}),
        )
        .with_only_columns(groups.c.id, group_members.c.agent_id, groups.c.status)
    )
    rows = select_in(tx, query, groups.c.id, {post.group.row_id for post in posts})
    return {(row["id"], row["agent_id"]): row["status"] for row in rows}


def _keep_alive(tx: Transaction, posts: Sequence[Post]) -> None:
    """A message begins the idle time of a pod again; nothing else asks when a group was last active."""
    pods = {post.group.row_id: post.parcel.letter.at for post in posts if post.group.type == "pod"}
    if pods:
        tx.execute(_TOUCH, [{"of_group": row_id, "at": at} for row_id, at in sorted(pods.items())])


_TOUCH = groups.update().where(groups.c.id == sa.bindparam("of_group")).values(active_at=sa.bindparam("at"))


def _event(post: Post) -> Event:
    letter = post.parcel.letter
    return Event(
        event_id=letter.message_id,
        tenant_id=letter.tenant_id,
        fleet_id=letter.fleet_id,
        topic=TOPIC,
        push=letter.push,
        body=letter.body,
        at=letter.at,
        key=post.group.group_id,
        agent_id=post.sender_id,
        audience=Audience(agents=post.parcel.recipients),
    )

"""Direct messages: one agent to another, or to the operator's dashboard.

    messages.py            the events' requests and replies, and what is pushed
    settings.py            the table [capabilities.direct]
    tables.py, migrations  the messages that were accepted: the history of each conversation
    compose.py             from a request to the message, its letter and its event
    send.py                the write of a message: history, inbox and event in one commit
    history.py             a conversation page by page, and the write that notes a message as read
    retention.py           forgets what is older than the history is kept
    capability.py          the rules

A message is accepted when it is in the sender's reply: then it is in the history and in the recipient's inbox, which
brings it there (see `ringforge_core.mesh.inbox`). It is also an event on the topic `direct`, by which other nodes and
outside consumers hear of it. The core does not push that event to anybody: a resume would double what the inbox brings.
"""

from typing import Any

from ringforge_core.mesh.direct.capability import DirectCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["DirectCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return DirectCapability

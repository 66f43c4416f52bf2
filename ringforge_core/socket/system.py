"""What the hub itself pushes to connections."""

from __future__ import annotations

from typing import ClassVar

from ringforge_core.limits import QuotaWarning
from ringforge_core.plugin.messages import Push


class NodeDraining(Push):
    """This node is about to close its sockets with 1012; reconnect after `reconnect_after_ms` milliseconds."""

    wire: ClassVar[str] = "system:node_draining"

    node: str
    region: str
    message: str
    reconnect_after_ms: int


class KeyRevoked(Push):
    """The API key of this connection was revoked or expired; a close with 1008 follows. `at` is an ISO instant."""

    wire: ClassVar[str] = "system:key_revoked"

    at: str


SYSTEM_PUSHES: tuple[type[Push], ...] = (NodeDraining, KeyRevoked, QuotaWarning)

"""An agent's Ed25519 key, changed by the agent itself while it is connected.

messages.py      `auth:rotate_key`
capability.py    what is answered; the rules are those of `identity.public_keys`
"""

from typing import Any

from ringforge_core.mesh.auth.capability import AuthCapability
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["AuthCapability", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return AuthCapability

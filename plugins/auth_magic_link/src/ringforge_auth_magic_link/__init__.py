"""Sign-in with a link in a mail: `[auth] use = ["magic_link"]`.

adapter.py    the port's verbs
"""

from ringforge_auth_magic_link.adapter import MagicLink
from ringforge_core.plugin import Adapter, NoSettings, hookimpl
from ringforge_core.ports.auth import Auth

__all__ = ["MagicLink", "ringforge_adapter"]


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=Auth, settings_type=NoSettings, create=lambda settings, context: MagicLink())

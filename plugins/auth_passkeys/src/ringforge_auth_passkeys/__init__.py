"""Sign-in with passkeys: `[capabilities] use = [..., "accounts", "auth_passkeys"]`.

capability.py       the capability: its routes, and its parts of the pages of accounts
relying_party.py    who the hub is to a browser: its origin, and the id that passkeys are made for
ceremonies.py       what WebAuthn asks of a browser, and whether its answer is good
challenges.py       each is answered once, in time, by the browser that got it
passkeys.py         the changes: added, renamed, used, removed
tables.py           what is kept; migrations/ makes it

proofs.py           an answer is a proof, or it is refused
desk.py             one request
pages.py            routes; templates/ and static/ are theirs
rendering.py        templates and the script, from this package
"""

from ringforge_auth_passkeys.capability import Passkeys
from ringforge_core.plugin import hookimpl

__all__ = ["Passkeys", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Passkeys]:
    return Passkeys

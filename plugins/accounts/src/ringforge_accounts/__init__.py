"""People: `[capabilities] use = [..., "accounts"]`.

settings.py        the table [capabilities.accounts]
capability.py      the capability: its parts, its routes, who is signed in
tables.py          what is kept

sign_in.py         e-mail and password, and on to the second factor
providers.py       identities of elsewhere, by the adapters of the port Auth
tenant_providers.py  those of one tenant, and its plan
registration.py    who may register, and how an e-mail is proven
newcomers.py       the change by which a person comes to be
sessions.py        who is signed in, in which tenant
second_factor.py   codes of an authenticator app, recovery codes
key_sessions.py    who came with an admin key
credentials.py     a new password
profile.py         a person's name
email_change.py    a new e-mail, and the way back
account_deletion.py  the end of an account
team.py            members and their roles
invites.py         invitations
waiting.py         the waitlist
one_time.py        links that work once
people.py          looking people up
passwords.py       hashing, and what is easily guessed
tries.py           how often something may be tried
sealing.py         secrets that must be readable again; sealing_check.py: whether the key is the right one
tokens.py          random secrets and their digests
letter_box.py      mails that wait; mailer.py sends them to the server of mail.py, letters.py says what is in them
operating.py       what those who run the hub do; commands.py: `ringforge users`
audit.py           deeds of people
cleaning.py        what is over, is deleted

pages/             forms that work without a script; templates/ and static/ are theirs, alone/ without a dashboard
"""

from ringforge_accounts.capability import Accounts
from ringforge_accounts.settings import AccountsSettings
from ringforge_core.plugin import hookimpl

__all__ = ["Accounts", "AccountsSettings", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Accounts]:
    return Accounts

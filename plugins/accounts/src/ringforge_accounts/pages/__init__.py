"""The pages of accounts: forms that work without a script.

desk.py           one request: its cookies, its form, the page or the way that it is answered with
rendering.py      templates and the style sheet
sign_in.py        sign in, second factor, forgotten password, sign out
arrival.py        register, confirm, the waitlist, the first owner
entrance.py       what other capabilities by which people sign in are given here
providers.py      sign in with, or connect, an identity of elsewhere
account.py        what a person sees of their account
settings.py       name, e-mail, the name of the tenant, the end of the account
places.py         their places in the navigation
team.py           who belongs to the tenant: members, invitations, the waitlist
"""

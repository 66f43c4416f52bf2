"""What a tenant may use, and how often: plans, quotas, rates.

plans.py          the table of plans
settings.py       the table [limits] of the TOML, which overrides it
quotas.py         quotas, decided in the transaction of the change that they are charged for
usage.py          what a tenant has used, and the recount at a start
rates.py          how often something may happen
sign_in.py        the guard of the sign-in: before the look-up of a key, not after it
"""

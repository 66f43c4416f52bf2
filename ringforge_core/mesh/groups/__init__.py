"""Groups: squads, pods and channels that the agents of a fleet make for themselves.

messages.py            the events' requests and replies, and the pushes
tables.py, migrations  groups, their members, and who left a group that takes everybody in
administration.py      the same groups for whoever administers the tenant
departure.py           what becomes of an agent's groups when it is moved or deleted
"""

"""The administration API: `/api/v1`, for the holders of a tenant's admin keys; source: wire protocol 4.2.

guards.py        who gets in
call.py          what a route is given: whose tenant, who asks, which page
refusals.py      how the document tells of errors
texts.py         what people may write
presence.py      who is connected
tenants.py …     the routes, one file a subject; their rules are functions of identity, limits, audit and mesh.groups

Every route sees its administrator's tenant only: an id of another one is not found, and nothing else is said of it.
"""

"""Pulsar Functions that come with this bus, and how they are deployed.

    activity_rollups.py   how many events of which kind each agent had in each minute
    alert_filter.py       a copy of every alert on a topic of its own
    catalog.py            what each reads and writes
    deployment.py         deploy, list and remove them over the administration API
    commands.py           `ringforge pulsar functions …`

The first two run in a functions worker, which knows neither Ringforge nor msgspec: they are one file each and need
only `pulsar-client`. They are in the bus's own wheel because they read its messages: the two change together.
"""

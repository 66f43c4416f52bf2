"""The durable inbox: what an agent is owed until it was written to one of its live sockets.

    messages.py      the events' requests and replies, and the receipt
    settings.py      the table [capabilities.inbox]
    tables.py        letters, and a row for each agent that a letter still waits for
    letter.py        a letter, and the parcel of a letter with its recipients
    put.py           the write that queues parcels
    claim.py         the writes that claim what waits for an agent, and give it back
    settle.py        the writes that take letters out of the inbox: delivered or expired, with the receipt
    queued.py        the read behind `message:queued`
    attention.py     whose messages nobody takes, for people
    mailbox.py       one agent that is connected here
    outgoing.py      what was pushed and is not settled: watched until it is written, then settled
    capability.py    the rules

Another capability sends through it like this:

    with inbox.parcel(letter, recipients) as parcel:
        await store.apply(write, parcel)         # `write` calls put(tx, parcels) and appends an event to its own topic,
        got = await inbox.deliver(parcel)        # with the letter's message_id as event_id and the recipients as audience

and hands what its `heard` is called with to `inbox.heard_of`, by which the other hubs deliver it.

**What "written" means.** A letter leaves the inbox when the kernel has taken all bytes that this process had for one of
the agent's open connections, the letter's among them. So it survives `kill -9` of the hub at any moment. It does not
survive a peer that vanishes before its own kernel has taken the bytes: no sender can know that. Who must know sends with
`ack`: the letter then leaves only when the agent acknowledged it, and is sent again after the visibility time.

**Never twice at once, never lost.** A row is claimed in the database before it is pushed, so two nodes never push the
same letter. The claim of a process that died lapses, or ends when its node starts again; the letter is then pushed a
second time, with the same `message_id` and an `attempt` above 1: that is how a recipient tells a double.

**In order, over the end of a hub.** For its first seconds here an agent gets nothing younger than what another claimer has
in work for it: that may be a hub that died, whose letters come first as soon as the others know. And an agent that joins
is let in when this hub has heard of all that any hub acknowledged, so what it wrote there comes before what it writes here.
"""

from typing import Any

from ringforge_core.mesh.inbox.capability import InboxCapability, inbox_of
from ringforge_core.mesh.inbox.letter import Letter, Parcel
from ringforge_core.mesh.inbox.messages import RECEIPTS
from ringforge_core.mesh.inbox.put import put
from ringforge_core.plugin import Capability, hookimpl

__all__ = ["RECEIPTS", "InboxCapability", "Letter", "Parcel", "inbox_of", "put", "ringforge_capability"]


@hookimpl
def ringforge_capability() -> type[Capability[Any]]:
    return InboxCapability

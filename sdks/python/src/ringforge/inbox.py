"""What the hub brings from the agent's durable inbox: messages, each handed out once.

The hub may bring a message again, when it cannot know that the first time was enough; it has the same `message_id` then.
What comes while nobody reads waits for the next reader: what was queued during an absence arrives with the connection.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ringforge.errors import RingforgeError
from ringforge.feed import Feed
from ringforge.log import RawPush
from ringforge.reader import NothingWaits, Reader

HELD = 1000
"""Messages that wait for a reader: as many as wait for an agent at the hub."""
REMEMBERED = 10_000
"""Message ids by which doubles are told."""

logger = logging.getLogger("ringforge")


class Identified(Protocol):
    @property
    def message_id(self) -> str: ...


Message = TypeVar("Message", bound=Identified)


class Inbox(Generic[Message]):
    """Decodes the pushes of one name and hands each message to all open streams that want it."""

    def __init__(
        self,
        feed: Feed,
        name: str,
        decode: Callable[[RawPush], Message],
        *,
        intercept: Callable[[Message], bool] = lambda message: False,
    ) -> None:
        """A message that is `intercept`ed goes into no stream."""
        self._feed = feed
        self._name = name
        self._decode = decode
        self._intercept = intercept
        self._seen: dict[str, None] = {}
        self._held: deque[Message] = deque()
        self._streams: dict[MessageStream[Message], None] = {}
        feed.watchers.append(self._on_push)
        feed.end_watchers.append(self._end)

    def stream(self, wants: Callable[[Message], bool], *, buffer: int) -> MessageStream[Message]:
        """What has waited for a reader, and what comes."""
        stream = MessageStream(self._streams, wants, buffer)
        for _ in range(len(self._held)):
            message = self._held.popleft()
            if not stream.offer(message):
                self._held.append(message)
        if self._feed.ended:
            stream.end(self._feed.error)
        return stream

    def forget(self, message_id: str) -> None:
        """Take the message in when the hub brings it again."""
        self._seen.pop(message_id, None)

    def _on_push(self, push: RawPush) -> None:
        if push.name != self._name:
            return
        message = self._decode(push)
        if message.message_id in self._seen:
            return
        if not self._intercept(message) and not self._hand_out(message):
            logger.warning("No room for the message %s of %s", message.message_id, self._name)
            return
        self._seen[message.message_id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _hand_out(self, message: Message) -> bool:
        wanting = [stream for stream in self._streams if stream.wants(message)]
        if wanting:
            taken = [stream.offer(message) for stream in wanting]
            return any(taken)
        if len(self._held) == HELD:
            return False
        self._held.append(message)
        return True

    def _end(self, error: RingforgeError | None) -> None:
        for stream in list(self._streams):
            stream.end(error)


class MessageStream(Reader[Message]):
    """Messages in the order they came. Past `buffer` unread ones they are dropped and counted."""

    def __init__(self, siblings: dict[Any, None], wants: Callable[[Message], bool], buffer: int) -> None:
        """`siblings` are all that are fed, this one among them until it is closed."""
        super().__init__()
        self.wants = wants
        self.dropped = 0
        """Messages that found the buffer full. One that was sent with `ack` comes again."""
        self._siblings = siblings
        self._limit = buffer
        self._waiting: deque[Message] = deque()
        siblings[self] = None

    @property
    def waiting(self) -> int:
        """Messages that have come and are not read yet."""
        return len(self._waiting)

    def offer(self, message: Message) -> bool:
        """False when it is unwanted, or when there is no room for it."""
        if not self.wants(message):
            return False
        if len(self._waiting) >= self._limit:
            self.dropped += 1
            return False
        self._waiting.append(message)
        self._wake.set()
        return True

    def _take(self) -> Message:
        if not self._waiting:
            raise NothingWaits
        return self._waiting.popleft()

    def _forget(self) -> None:
        self._waiting.clear()

    def _leave(self) -> None:
        self._siblings.pop(self, None)

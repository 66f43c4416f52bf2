"""The agent's own key pair, by which it comes back without its API key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ringforge.credentials import Credentials, rotation
from ringforge.errors import AuthenticationError, RingforgeError
from ringforge.key_pair import KeyPair
from ringforge.requests import Requests


class _Rotated(msgspec.Struct):
    agent_id: str


class Keys:
    """What is known of the key pair, and its replacement."""

    def __init__(self, credentials: Credentials, requests: Requests) -> None:
        self._credentials = credentials
        self._requests = requests
        self._rotating = asyncio.Lock()

    @property
    def path(self) -> Path | None:
        """The file; None when the agent goes without a key pair."""
        return self._credentials.key_file.path if self._credentials.key_file else None

    @property
    def in_use(self) -> bool:
        """True when the hub has accepted the key pair: the API key is not sent any more."""
        return self._credentials.accepted

    @property
    def public_key(self) -> bytes | None:
        """32 bytes; None before the first connect, and without a key pair."""
        return self._credentials.public_key

    async def rotate(self) -> bytes:
        """Replace the key pair by a new one, signed with the old one; returns the new public key.

        The file holds both until the hub has answered, so that whatever breaks, one of them opens. When the hub has
        another key for the agent, the new pair becomes the agent's, if the tenant lets an API key do that.
        """
        async with self._rotating:
            stored = self._credentials.stored
            if stored is None:
                raise RingforgeError("no_key_pair", "This agent has no key pair.", "Give it a name and a key_directory.")
            new = KeyPair(stored.next_private_key)
            await self._credentials.save(replace(stored, next_private_key=new.private))
            agent_id = await self._replace(KeyPair(stored.private_key), new)
            await self._credentials.keep(replace(stored, private_key=new.private, agent_id=agent_id))
            return new.public

    async def _replace(self, old: KeyPair, new: KeyPair) -> str:
        """Returns the agent's id. The hub may have the new key already: an attempt can have ended without an answer."""
        if not self.in_use:
            return await self._send(rotation(new, signed_by=None))
        try:
            return await self._send(rotation(new, signed_by=old))
        except AuthenticationError:
            return await self._send(rotation(new, signed_by=new))

    async def _send(self, payload: dict[str, str]) -> str:
        return (await self._requests.fetch("auth:rotate_key", payload, _Rotated)).agent_id

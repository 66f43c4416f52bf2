"""How the agent proves who it is: by its API key at first, by its key pair from the moment the hub has accepted that."""

from __future__ import annotations

import asyncio
import base64
import logging
from ssl import SSLContext

from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection

from ringforge.address import Address
from ringforge.calls import Call
from ringforge.challenge import ask_challenge
from ringforge.channel import REPLY_TIMEOUT, Channel
from ringforge.errors import AuthenticationError, ConnectionLost, KeyPairRefused, RingforgeError
from ringforge.frames import encode_payload
from ringforge.key_file import KeyFile, StoredKey, fingerprint
from ringforge.key_pair import KeyPair
from ringforge.websocket import open_websocket

ATTEMPTS = 3
"""Refused signatures in a row until the key pair counts as refused: a challenge can have expired or been pushed out."""

logger = logging.getLogger("ringforge")


class Credentials:
    """Once the hub has accepted the key pair, nothing but signatures is sent: an API key that is given stays here."""

    def __init__(self, address: Address, api_key: str | None, key_file: KeyFile | None, *, tls: SSLContext | None) -> None:
        """Without a `key_file` the API key is used each time."""
        self.key_file = key_file
        self.stored: StoredKey | None = None
        """What the key file holds; None without one, and before the first connect."""
        self._address = address
        self._api_key = api_key
        self._tls = tls
        self._refused = 0
        self._declined = False
        """True when the hub has another public key for the agent: the API key stays in use."""

    @property
    def accepted(self) -> bool:
        """True when the hub knows the key pair, and knows it by the API key that is given, if any is."""
        stored = self.stored
        if stored is None or stored.agent_id is None:
            return False
        return self._api_key is None or stored.api_key_sha256 == fingerprint(self._api_key)

    @property
    def public_key(self) -> bytes | None:
        return KeyPair(self.stored.private_key).public if self.stored else None

    async def open(self, agent_id: str | None) -> ClientConnection:
        """A connection as the agent, as itself again when its id is known. Raises what `open_websocket` does."""
        if self.key_file is not None:
            self.stored = await asyncio.to_thread(self._load, self.key_file)
        if self.stored is not None and self.stored.agent_id is not None and self.accepted:
            return await self._open_proven(self.stored, self.stored.agent_id)
        if self._api_key is None:
            raise self._nothing_to_show()
        url = self._address.again(agent_id) if agent_id else self._address.first(self.public_key)
        return await open_websocket(url, self._api_key, tls=self._tls)

    async def confirm(self, channel: Channel, agent_id: str) -> None:
        """Make sure that the hub has this key pair for the agent: it takes in the key that is signed by the one it has.

        From then on the API key that was used for this connection is not needed any more.
        """
        if self.stored is None or self.accepted or self._declined:
            return
        try:
            for pair in self.stored.pairs():
                if await self._is_confirmed(channel, pair):
                    await self.keep(replace(self.stored, private_key=pair.private, agent_id=agent_id))
                    return
        except (RingforgeError, TimeoutError) as error:
            logger.warning("The key pair could not be confirmed, the API key stays in use: %r", error)
            return
        self._declined = True
        logger.warning(
            "The hub has another public key for %s than %s holds: the API key stays in use. "
            "Bring the key file along, or call agent.keys.rotate() to make this the agent's key.",
            self.stored.name, self.key_file and self.key_file.path,
        )  # fmt: skip

    async def keep(self, stored: StoredKey) -> None:
        """The hub has accepted `private_key`, and what is left of others is gone."""
        if self._api_key is not None:
            stored = replace(stored, api_key_sha256=fingerprint(self._api_key))
        await self.save(replace(stored, next_private_key=None))
        self._declined = False

    async def save(self, stored: StoredKey) -> None:
        """Put it into the file, then use it."""
        if self.key_file is not None:
            await asyncio.to_thread(self.key_file.save, stored)
        self.stored = stored

    def _load(self, key_file: KeyFile) -> StoredKey | None:
        """Each time anew: another process of this agent may have replaced the key."""
        if self.stored is None and self._api_key is not None:
            return key_file.load_or_create()
        return key_file.load() or self.stored

    async def _open_proven(self, stored: StoredKey, agent_id: str) -> ClientConnection:
        for pair in stored.pairs():
            try:
                nonce = await ask_challenge(self._address.challenge, agent_id, tls=self._tls)
                url = self._address.proven(agent_id, pair.sign(nonce))
                connection = await open_websocket(url, None, tls=self._tls)
            except KeyPairRefused as error:
                raise self._key_refused(error.reason) from None
            except AuthenticationError:
                continue
            self._refused = 0
            if pair.private == stored.next_private_key:
                await self.keep(replace(stored, private_key=pair.private))
            return connection
        self._refused += 1
        if self._refused < ATTEMPTS:
            raise ConnectionLost("challenge_refused", "The hub did not accept the signature of its challenge.")
        raise self._key_refused("key_pair_refused")

    async def _is_confirmed(self, channel: Channel, pair: KeyPair) -> bool:
        call = Call("auth:rotate_key", encode_payload({"payload": rotation(pair, signed_by=pair)}), resend=False)
        await channel.send(call)
        try:
            await asyncio.wait_for(call.reply, REPLY_TIMEOUT)
        except AuthenticationError:
            return False
        return True

    def _nothing_to_show(self) -> RingforgeError:
        where = f"{self.key_file.path} holds no accepted key pair" if self.key_file else "there is no key file"
        return AuthenticationError(
            "missing_credentials", f"There is no api_key, and {where}.", "Give the api_key once; or name the key_directory."
        )

    def _key_refused(self, reason: str) -> KeyPairRefused:
        path = self.key_file and self.key_file.path
        return KeyPairRefused(
            reason,
            f"The hub does not accept the key pair in {path} any more: the API key that it came with was revoked or has "
            "expired, the agent was removed, or its key was reset or replaced elsewhere.",
            f"Connect with a new api_key; or with the old one after removing {path}. "
            "When the hub has another key for the agent, an admin resets that first.",
            {"path": str(path)},
        )


def rotation(new: KeyPair, *, signed_by: KeyPair | None) -> dict[str, str]:
    """The payload of `auth:rotate_key`."""
    payload = {"public_key": base64.b64encode(new.public).decode()}
    if signed_by is not None:
        payload["signature"] = base64.b64encode(signed_by.sign(new.public)).decode()
    return payload

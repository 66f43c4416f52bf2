"""Rotation of an agent's public key."""

from __future__ import annotations

import base64

from ringforge_core.identity.claim import parse_public_key
from ringforge_core.identity.lenient_base64 import decode_base64
from ringforge_core.identity.public_keys import rotate_public_key
from ringforge_core.mesh.auth.messages import KeyRotated, RotateKey
from ringforge_core.plugin import Call, Capability, NoSettings, event, iso


class AuthCapability(Capability[NoSettings]):
    name = "auth"

    @event("auth:rotate_key", idempotent=True)
    async def rotate(self, call: Call, request: RotateKey) -> KeyRotated:
        """Give yourself a new public key; challenges that wait for the old one's signature are dropped."""
        # What is no base64 is no signature, and is answered as such.
        signature = None if request.signature is None else decode_base64(request.signature) or b""
        public_key = parse_public_key(request.public_key)
        rotated = await rotate_public_key(self.hub.store, call.agent, public_key, signature=signature, once=call.once)
        return KeyRotated(
            agent_id=rotated.agent_id,
            public_key=base64.b64encode(rotated.public_key).decode(),
            rotated_at=iso(rotated.rotated_at),
        )

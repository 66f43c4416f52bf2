"""An authenticator and the part of a browser that speaks with it, played by the tests: so it can also cheat."""

from __future__ import annotations

import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import sha256, websafe_decode, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

FLAG = AuthenticatorData.FLAG
VERIFIED = FLAG.UP | FLAG.UV


class Authenticator:
    """Holds one passkey. What it is given by keyword in `create` and `get` it says instead of the truth."""

    def __init__(self, origin: str, *, counts: bool = True) -> None:
        self.origin = origin
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.count = 1 if counts else 0
        self.counts = counts
        self.user_handle = b""

    def create(self, options: dict[str, Any], *, origin: str | None = None, flags: FLAG = VERIFIED) -> str:
        """The answer to the options of `navigator.credentials.create`, as the page's script sends it."""
        self.user_handle = websafe_decode(options["user"]["id"])
        credential = AttestedCredentialData.create(Aaguid.NONE, self.id, ES256.from_cryptography_key(self.key.public_key()))
        data = AuthenticatorData.create(sha256(options["rp"]["id"].encode()), flags | FLAG.AT, self.count, credential)
        said = self._client_data("webauthn.create", options, origin, {})
        attested = AttestationObject.create("none", data, {})
        return self._answer(clientDataJSON=said, attestationObject=attested)

    def get(
        self, options: dict[str, Any], *, origin: str | None = None, party: str | None = None, flags: FLAG = VERIFIED,
        count: int | None = None, user_handle: bytes | None = None, kind: str = "webauthn.get", **said_more: Any,
    ) -> str:  # fmt: skip
        """The answer to the options of `navigator.credentials.get`."""
        self.count += self.counts
        counted = self.count if count is None else count
        data = AuthenticatorData.create(sha256((party or options["rpId"]).encode()), flags, counted)
        said = self._client_data(kind, options, origin, said_more)
        signature = self.key.sign(data + sha256(said), ec.ECDSA(hashes.SHA256()))
        handle = self.user_handle if user_handle is None else user_handle
        return self._answer(clientDataJSON=said, authenticatorData=data, signature=signature, userHandle=handle)

    def _client_data(self, kind: str, options: dict[str, Any], origin: str | None, more: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": origin or self.origin, **more}
        return bytes(CollectedClientData(json.dumps(said).encode()))

    def _answer(self, **response: bytes) -> str:
        name = websafe_encode(self.id)
        encoded = {key: websafe_encode(bytes(value)) for key, value in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": encoded})

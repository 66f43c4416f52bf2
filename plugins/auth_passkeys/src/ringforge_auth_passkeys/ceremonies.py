"""The two ceremonies of WebAuthn: what is asked of the browser, and whether its answer is good.

A person is always verified (by fingerprint, face or PIN): so a passkey is both factors, something they have and something
they are or know. Which make of authenticator it is, nobody asks: attestation is `none`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from fido2.cose import ES256, RS256, EdDSA
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorTransport,
    CollectedClientData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ringforge_auth_passkeys.challenges import VALID_FOR
from ringforge_auth_passkeys.relying_party import RelyingParty
from ringforge_core.errors import Unauthenticated
from ringforge_core.plugin.web import SignedIn

ALGORITHMS = (ES256.ALGORITHM, EdDSA.ALGORITHM, RS256.ALGORITHM)
LONGEST_ANSWER = 20_000
LONGEST_ID = 1023
REQUIRED = UserVerificationRequirement.REQUIRED

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class Made(msgspec.Struct, frozen=True):
    """A new passkey: `credential` holds its public key."""

    credential_id: bytes
    credential: bytes
    sign_count: int
    synced: bool


class Used(msgspec.Struct, frozen=True):
    """A passkey signed: its counter then, 0 when it has none."""

    sign_count: int
    synced: bool


class Known(msgspec.Struct, frozen=True):
    """A passkey that a person has already."""

    credential_id: bytes
    transports: Sequence[str]


class AddAnswer:
    """What the browser answers to `ask_to_add`. Raises `Unauthenticated` for what is none."""

    def __init__(self, text: str) -> None:
        self._parsed = _parse(lambda: RegistrationResponse.from_dict(_json(text)))
        self.challenge = _parse(lambda: bytes(self._parsed.response.client_data.challenge))

    def check(self, party: RelyingParty, challenge: bytes) -> Made:
        """Raises `Unauthenticated`."""
        _check_place(self._parsed.response.client_data)
        data = _parse(lambda: _server(party).register_complete(_state(challenge), self._parsed))
        credential = data.credential_data
        if (
            credential is None
            or credential.public_key.ALGORITHM not in ALGORITHMS
            or not 0 < len(credential.credential_id) <= LONGEST_ID
            or credential.credential_id != self._parsed.raw_id
        ):
            raise not_good("its key is of a kind that was not asked for, or its id is not right")
        return Made(credential.credential_id, bytes(credential), data.counter, data.is_backed_up())


class SignInAnswer:
    """What the browser answers to `ask_to_sign_in`: `user_handle` is the id of whom it says it is."""

    def __init__(self, text: str) -> None:
        self._parsed = _parse(lambda: AuthenticationResponse.from_dict(_json(text)))
        self.challenge = _parse(lambda: bytes(self._parsed.response.client_data.challenge))
        self.credential_id = _parse(lambda: bytes(self._parsed.raw_id))
        self.user_handle = _parse(lambda: bytes(self._parsed.response.user_handle or b"").decode())

    def check(self, party: RelyingParty, challenge: bytes, credential: bytes) -> Used:
        """Raises `Unauthenticated`."""
        _check_place(self._parsed.response.client_data)
        stored = [AttestedCredentialData(credential)]
        _parse(lambda: _server(party).authenticate_complete(_state(challenge), stored, self._parsed))
        data = self._parsed.response.authenticator_data
        return Used(data.counter, data.is_backed_up())


def ask_to_sign_in(party: RelyingParty, challenge: bytes) -> dict[str, Any]:
    """The options of `navigator.credentials.get`, bytes as base64url; whichever passkey the person chooses is right."""
    options, _ = _server(party).authenticate_begin(user_verification=REQUIRED, challenge=challenge)
    return dict(options.public_key)


def ask_to_add(party: RelyingParty, challenge: bytes, person: SignedIn, known: Sequence[Known]) -> dict[str, Any]:
    """The options of `navigator.credentials.create`: of a kind that needs no e-mail first, and none of those known."""
    user = PublicKeyCredentialUserEntity(
        id=person.user_id.encode(), name=person.email, display_name=person.name or person.email
    )
    options, _ = _server(party).register_begin(
        user, [_descriptor(each) for each in known], resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=REQUIRED, challenge=challenge,
    )  # fmt: skip
    return dict(options.public_key)


def _descriptor(known: Known) -> PublicKeyCredentialDescriptor:
    ways = [AuthenticatorTransport(way) for way in known.transports]
    return PublicKeyCredentialDescriptor(
        type=PublicKeyCredentialType.PUBLIC_KEY, id=known.credential_id, transports=ways or None
    )


def not_good(problem: str) -> Unauthenticated:
    """The same words for all that can be wrong: who tries learns nothing about who has which passkey. The log has more."""
    log.info("passkey.refused", problem=problem[:200])
    return Unauthenticated(
        "This passkey is not known here, or it was not used right.", reason="wrong_passkey",
        fix="Try again, or sign in another way.",
    )  # fmt: skip


def _server(party: RelyingParty) -> Fido2Server:
    entity = PublicKeyCredentialRpEntity(id=party.id, name="Ringforge")
    none = AttestationConveyancePreference.NONE
    server = Fido2Server(entity, attestation=none, verify_origin=lambda origin: origin == party.origin)
    server.timeout = int(VALID_FOR.total_seconds() * 1000)  # type: ignore[assignment]  # annotated by its default, None
    server.allowed_algorithms = [
        PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=algorithm) for algorithm in ALGORITHMS
    ]
    return server


def _check_place(said: CollectedClientData) -> None:
    """No page of the hub stands in another's frame."""
    if said.cross_origin:
        raise not_good("it was asked for in a frame of another site")


def _state(challenge: bytes) -> dict[str, Any]:
    return {"challenge": websafe_encode(challenge), "user_verification": REQUIRED}


def _json(text: str) -> dict[str, Any]:
    if len(text) > LONGEST_ANSWER:
        raise ValueError("too long")
    return msgspec.json.decode(text, type=dict[str, Any])


def _parse(step: Callable[[], Result]) -> Result:
    try:
        return step()
    except Exception as error:  # bytes of a stranger: whatever they make a parser of JSON, CBOR or keys raise
        raise not_good(f"{type(error).__name__}: {error}") from error

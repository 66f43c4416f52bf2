"""Every error that the SDK raises, drawn before it is defined.

    RingforgeError             reason · message · fix · extras; also any reason that this version does not know
    ├── AuthenticationError    the hub does not accept the API key or the agent
    │   └── KeyPairRefused     the hub does not accept the agent's key pair any more
    ├── Kicked                 the hub ended the connection for good (close code 1008): key revoked, agent removed, abuse
    ├── Forbidden              known, but not entitled
    ├── NotFound               no such thing in your fleet
    ├── InvalidPayload         a field is missing or wrong; carries `field`
    ├── Conflict               an idempotency key was used for something else; another change came first
    │   └── VersionConflict    the memory entry has another version; carries `version`
    ├── QuotaExceeded          the plan's limit is reached; carries `resource`
    ├── RateLimited            too fast; carries `retry_after_ms`
    ├── Undeliverable          the message was not taken: `not_found`, `queue_full`; carries `to`
    ├── KeyFileError           the file of the key pair is unsafe, broken or missing; carries `path`
    ├── UnexpectedReply        the hub answered in a shape that this version does not know
    ├── RequestTimeout         connected, but no reply in time; whether the hub did it is unknown
    │   └── NoAnswer           the message was accepted, but the other agent did not answer in time
    └── ConnectionLost         not connected, or no longer; `reason` tells which

Codes in `reason` are the hub's; `message` and `fix` are for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class RingforgeError(Exception):
    """An error with a machine-readable `reason` (snake_case), a `message`, a `fix`, and the reply's other fields."""

    def __init__(self, reason: str, message: str = "", fix: str = "", extras: Mapping[str, Any] | None = None) -> None:
        self.reason = reason
        self.message = message or reason.replace("_", " ")
        self.fix = fix
        self.extras = dict(extras or {})
        super().__init__(f"{reason}: {self.message} {fix}".rstrip())

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str, dict[str, Any]]]:
        """A copy says the same; an exception copies itself from its text alone."""
        return type(self), (self.reason, self.message, self.fix, self.extras)


class AuthenticationError(RingforgeError):
    pass


class KeyPairRefused(AuthenticationError):
    pass


class Kicked(RingforgeError):
    pass


class Forbidden(RingforgeError):
    pass


class NotFound(RingforgeError):
    pass


class InvalidPayload(RingforgeError):
    @property
    def field(self) -> str | None:
        """The field that is wrong, when the hub names it."""
        field = self.extras.get("field")
        return field if isinstance(field, str) else None


class Conflict(RingforgeError):
    pass


class VersionConflict(Conflict):
    @property
    def version(self) -> int:
        """The version that the entry has; 0 when there is no entry."""
        version = self.extras.get("version")
        return version if isinstance(version, int) else 0


class QuotaExceeded(RingforgeError):
    @property
    def resource(self) -> str | None:
        """The quota that is used up, e.g. `messages_today`."""
        resource = self.extras.get("resource")
        return resource if isinstance(resource, str) else None


class RateLimited(RingforgeError):
    @property
    def retry_after_ms(self) -> int:
        """Milliseconds after which the hub accepts the request; 1000 when it does not say."""
        after = self.extras.get("retry_after_ms")
        return int(after) if isinstance(after, int | float) else 1000


class Undeliverable(RingforgeError):
    @property
    def to(self) -> str | None:
        """The agent that the message was for."""
        to = self.extras.get("to")
        return to if isinstance(to, str) else None


class KeyFileError(RingforgeError):
    @property
    def path(self) -> str:
        return str(self.extras.get("path", ""))


class UnexpectedReply(RingforgeError):
    pass


class RequestTimeout(RingforgeError):
    pass


class NoAnswer(RequestTimeout):
    pass


class ConnectionLost(RingforgeError):
    pass


_BY_REASON: dict[str, type[RingforgeError]] = {
    **dict.fromkeys(
        (
            "fleet_id_mismatch", "identity_mismatch", "invalid_agent", "invalid_api_key", "invalid_challenge",
            "invalid_public_key", "invalid_signature", "missing_credentials", "missing_signature", "no_public_key",
            "wrong_key_type",
        ),
        AuthenticationError,
    ),
    **dict.fromkeys(("forbidden", "not_member", "cross_tenant"), Forbidden),
    **dict.fromkeys(("not_found", "agent_not_found", "fleet_not_found"), NotFound),
    **dict.fromkeys(
        (
            "conflict", "idempotency_conflict", "name_taken", "name_conflict", "same_fleet", "has_agents", "last_fleet",
            "group_dissolved",
        ),
        Conflict,
    ),
    "version_conflict": VersionConflict,
    "quota_exceeded": QuotaExceeded,
    "rate_limited": RateLimited,
    **dict.fromkeys(("payload_too_large", "self_message", "validation_failed"), InvalidPayload),
}  # fmt: skip


def error_from(response: Mapping[str, Any]) -> RingforgeError:
    """The typed error for the `response` of an error reply: `{reason, message, fix, …extras}`."""
    extras = dict(response)
    reason, message, fix = (str(extras.pop(name, "")) for name in ("reason", "message", "fix"))
    kind = _BY_REASON.get(reason)
    if kind is None:
        kind = InvalidPayload if reason.startswith(("invalid_", "missing_")) else RingforgeError
    if kind is InvalidPayload and reason.startswith(("invalid_", "missing_")) and reason != "invalid_payload":
        extras.setdefault("field", reason.removeprefix("missing_").removeprefix("invalid_"))
    return kind(reason or "unknown", message, fix, extras)

"""Every error that core knows, drawn before it is defined.

    RingforgeError                       reason · message · fix
    ├── ConfigError                      the TOML, the environment or a secret reference is wrong
    ├── PluginError                      a plugin is missing, broken or named twice
    ├── Refused                          the caller's fault; answered to the caller, never logged as a fault
    │   ├── InvalidPayload               wrong shape; carries `field`
    │   ├── Unauthenticated              no or wrong credentials
    │   ├── Forbidden                    known, but not entitled
    │   ├── NotFound                     also: it exists, but for another tenant
    │   ├── Conflict                     another change came first; a key was used for something else
    │   └── LimitReached                 quota, rate, size; carries what and until when
    └── Unavailable                      a backend is gone or full; trying again may help
        ├── StoreInUse                   another hub owns this database file
        └── Backpressure                 a bounded queue is full

Adapters translate vendor exceptions into these; no vendor exception crosses a port.
"""

from __future__ import annotations

from typing import Any, ClassVar


class RingforgeError(Exception):
    """An error with a machine-readable `reason` (snake_case), a `message` and a `fix`, both for people.

    `extras` are further JSON fields that stand beside them in a reply, for instance `field` or `retry_after_ms`.
    """

    reason: str = "internal_error"
    default_fix: ClassVar[str] = ""

    def __init__(self, message: str = "", *, reason: str | None = None, fix: str | None = None, **extras: Any) -> None:
        super().__init__(message or reason or self.reason)
        if reason is not None:
            self.reason = reason
        self.message = message or self.reason.replace("_", " ")
        self.fix = self.default_fix if fix is None else fix
        self.extras = extras

    def as_reply(self) -> dict[str, Any]:
        """The JSON object that a client gets: `{reason, message, fix, …extras}`."""
        return {"reason": self.reason, "message": self.message, "fix": self.fix, **self.extras}


class ConfigError(RingforgeError):
    reason = "invalid_config"


class PluginError(RingforgeError):
    reason = "plugin_error"


class Refused(RingforgeError):
    reason = "refused"


class InvalidPayload(Refused):
    reason = "invalid_payload"
    default_fix = "Compare the payload with the event's schema in the AsyncAPI document."


class Unauthenticated(Refused):
    reason = "invalid_api_key"
    default_fix = "Check the API key; keys are made with `ringforge keys create`."


class Forbidden(Refused):
    reason = "forbidden"


class NotFound(Refused):
    reason = "not_found"


class Conflict(Refused):
    reason = "conflict"


class LimitReached(Refused):
    reason = "quota_exceeded"


class Unavailable(RingforgeError):
    reason = "unavailable"
    default_fix = "Try again in a moment."


class StoreInUse(Unavailable):
    reason = "store_in_use"


class Backpressure(Unavailable):
    reason = "backpressure"

"""How every client of this adapter connects."""

from __future__ import annotations

from typing import Any

from aiokafka.helpers import create_ssl_context

from ringforge_core.errors import ConfigError
from ringforge_eventbus_kafka.settings import KafkaEventBusSettings

RETRY_MILLISECONDS = 100
"""Between two tries to reach a broker that is gone."""


def client_options(settings: KafkaEventBusSettings, node: str) -> dict[str, Any]:
    """The arguments that aiokafka's consumers, producers and admin clients share. Raises `ConfigError`."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": f"ringforge-{node}",
        "security_protocol": settings.security_protocol,
        "retry_backoff_ms": RETRY_MILLISECONDS,
        "request_timeout_ms": int(settings.publish_seconds * 1000),
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _tls(settings)
    if settings.security_protocol.startswith("SASL"):
        options |= _login(settings)
    return options


def _tls(settings: KafkaEventBusSettings) -> Any:
    password = settings.tls_key_password.reveal() if settings.tls_key_password else None
    try:
        return create_ssl_context(
            cafile=settings.tls_ca_file,
            certfile=settings.tls_certificate_file,
            keyfile=settings.tls_key_file,
            password=password,
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError(
            f"[event_bus.kafka] the TLS files cannot be used: {error}",
            fix="Check tls_ca_file, tls_certificate_file, tls_key_file and tls_key_password.",
        ) from None  # the cause's arguments hold the password


def _login(settings: KafkaEventBusSettings) -> dict[str, Any]:
    if settings.sasl_username is None or settings.sasl_password is None:
        raise ConfigError(
            f"[event_bus.kafka] security_protocol {settings.security_protocol} needs a login.",
            fix="Set sasl_username and sasl_password, the latter as env:NAME or file:PATH.",
        )
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password.reveal(),
    }

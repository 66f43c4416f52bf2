"""The table `[event_bus.pulsar]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ringforge_core.errors import ConfigError
from ringforge_core.plugin import Secret


class PulsarEventBusSettings(Struct, frozen=True, forbid_unknown_fields=True):
    service_url: Annotated[str, Meta(description="The brokers: pulsar://host:6650, pulsar+ssl://host:6651.")] = (
        "pulsar://localhost:6650"
    )
    admin_url: Annotated[str, Meta(description="Their administration: http://host:8080, https://host:8443.")] = (
        "http://localhost:8080"
    )
    tenant: Annotated[str, Meta(description="Pulsar's tenant; it is created when the credentials may do that.")] = (
        "ringforge"
    )
    namespace: Annotated[str, Meta(description="The tenant's namespace that holds all fleets' topics.")] = "default"
    token: Annotated[
        Secret | None,
        Meta(description="A JSON Web Token for brokers and administration.", examples=["file:/run/secrets/pulsar_token"]),
    ] = None
    oauth2_issuer_url: Annotated[
        str | None,
        Meta(description="Instead of a token: who issues tokens (OAuth 2.0).", examples=["https://id.example.org"]),
    ] = None
    oauth2_client_id: Annotated[str | None, Meta(description="The hub's name at the issuer.", examples=["ringforge"])] = (
        None
    )
    oauth2_client_secret: Annotated[
        Secret | None, Meta(description="The hub's secret there.", examples=["env:PULSAR_CLIENT_SECRET"])
    ] = None
    oauth2_audience: Annotated[
        str | None, Meta(description="What the token is for, where the issuer asks.", examples=["urn:pulsar:cluster"])
    ] = None
    tls_ca_file: Annotated[
        Path | None,
        Meta(
            description="Authorities that the brokers' certificates are checked against; by default those of certifi.",
            examples=["/etc/pulsar/ca.pem"],
        ),
    ] = None
    tls_certificate_file: Annotated[
        Path | None, Meta(description="The hub's own certificate, for mutual TLS.", examples=["/etc/pulsar/hub.pem"])
    ] = None
    tls_key_file: Annotated[
        Path | None, Meta(description="The key of that certificate.", examples=["/etc/pulsar/hub.key"])
    ] = None
    tls_validate_hostname: Annotated[
        bool, Meta(description="Whether a certificate must be for the host that was asked for.")
    ] = True
    compression: Annotated[
        Literal["none", "lz4", "zlib", "zstd", "snappy"], Meta(description="Of the messages, batch by batch.")
    ] = "lz4"
    batch_delay_ms: Annotated[int, Meta(ge=1, description="How long a batch waits for more events.")] = 1
    queue_size: Annotated[
        int, Meta(ge=1, description="Events that may wait for the broker's answer; past it publishing is refused.")
    ] = 5_000
    publish_seconds: Annotated[float, Meta(gt=0, description="How long an event may wait for the broker's answer.")] = 10.0
    request_seconds: Annotated[float, Meta(gt=0, description="The same for all other requests.")] = 10.0
    discovery_seconds: Annotated[
        float, Meta(gt=0, description="How often this hub looks for topics that other hubs created.")
    ] = 1.0
    buffer_size: Annotated[int, Meta(ge=1, description="Events that may wait in memory for one subscriber.")] = 5_000
    flush_seconds: Annotated[
        float, Meta(ge=0, description="How long a stop waits for subscribers to take what was published.")
    ] = 5.0
    retention_hours: Annotated[
        float, Meta(gt=0, description="How long events of a topic are kept for which no plan says it.")
    ] = 168.0
    backlog_megabytes: Annotated[
        int, Meta(ge=1, description="What a group that does not read may hold back per partition; older goes then.")
    ] = 1_024
    compaction_bytes: Annotated[
        int, Meta(ge=1, description="How much a compacted topic grows before only the newest of each key is kept.")
    ] = 8_000_000
    straggler_seconds: Annotated[
        float,
        Meta(ge=0, description="How much later than its successors an event may come and still get its place in a page."),
    ] = 300.0

    def check(self) -> None:
        """Raises `ConfigError` for settings that only make sense together."""
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ConfigError(
                "[event_bus.pulsar] has one of tls_certificate_file and tls_key_file",
                fix="Give both for mutual TLS, or neither.",
            )
        if self.oauth2_issuer_url and not (self.oauth2_client_id and self.oauth2_client_secret):
            raise ConfigError(
                "[event_bus.pulsar] has oauth2_issuer_url without a client",
                fix="Give oauth2_client_id and oauth2_client_secret too.",
            )

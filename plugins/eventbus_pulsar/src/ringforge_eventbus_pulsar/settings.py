"""The table `[event_bus.pulsar]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

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
    token: Annotated[Secret | None, Meta(description="A JSON Web Token for brokers and administration.")] = None
    oauth2_issuer_url: Annotated[
        str | None, Meta(description="OAuth 2.0 client credentials instead of a token: who issues the tokens.")
    ] = None
    oauth2_audience: str | None = None
    oauth2_client_id: str | None = None
    oauth2_client_secret: Secret | None = None
    tls_trust_certs_file: Annotated[
        str | None, Meta(description="The certificate authorities to trust; by default those of certifi.")
    ] = None
    tls_certificate_file: Annotated[str | None, Meta(description="This hub's own certificate, for mutual TLS.")] = None
    tls_private_key_file: str | None = None
    tls_validate_hostname: bool = True
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

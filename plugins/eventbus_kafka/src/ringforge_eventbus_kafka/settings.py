"""The table `[event_bus.kafka]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ringforge_core.plugin import Secret


class KafkaEventBusSettings(Struct, frozen=True, forbid_unknown_fields=True):
    bootstrap_servers: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Brokers to ask first, each as host:port.")
    ] = ("localhost:9092",)
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], Meta(description="With or without TLS and a login.")
    ] = "PLAINTEXT"
    tls_ca_file: Annotated[
        Path | None,
        Meta(
            description="Authorities that the brokers' certificates are checked against; the system's if unset.",
            examples=["/etc/kafka/ca.pem"],
        ),
    ] = None
    tls_certificate_file: Annotated[
        Path | None,
        Meta(description="The hub's own certificate, where brokers ask for one.", examples=["/etc/kafka/hub.pem"]),
    ] = None
    tls_key_file: Annotated[
        Path | None, Meta(description="The key of that certificate.", examples=["/etc/kafka/hub.key"])
    ] = None
    tls_key_password: Annotated[
        Secret | None, Meta(description="The password of that key.", examples=["env:KAFKA_KEY_PASSWORD"])
    ] = None
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="How the login is sent.")
    ] = "SCRAM-SHA-512"
    sasl_username: Annotated[str | None, Meta(description="The login's name.", examples=["ringforge"])] = None
    sasl_password: Annotated[
        Secret | None, Meta(description="The login's password.", examples=["file:/run/secrets/kafka_password"])
    ] = None
    replication_factor: Annotated[
        int, Meta(ge=-1, description="Copies of each partition; -1 takes the broker's default.replication.factor.")
    ] = -1
    default_partitions: Annotated[
        int, Meta(ge=1, description="Partitions of a topic that gets an event before the hub laid it out.")
    ] = 3
    default_retention_days: Annotated[
        float, Meta(gt=0, description="How long such a topic is kept until the hub lays it out.")
    ] = 7.0
    compact_after_seconds: Annotated[
        float, Meta(gt=0, description="How long a compacted topic may keep events that a newer one of their key replaced.")
    ] = 86_400.0
    max_event_bytes: Annotated[int, Meta(ge=1024, description="Largest event, as a record, that topics take.")] = 4_194_304
    queue_size: Annotated[
        int,
        Meta(ge=1, description="Events that may wait for the broker's acknowledgement; more are refused: backpressure."),
    ] = 5_000
    linger_ms: Annotated[int, Meta(ge=0, description="How long the first event of a batch waits for others.")] = 2
    batch_bytes: Annotated[int, Meta(ge=1, description="Largest batch for one partition.")] = 131_072
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"], Meta(description="How batches are compressed.")
    ] = "lz4"
    publish_seconds: Annotated[
        float, Meta(gt=0, description="How long a publish waits for the broker before the relay is told to try again.")
    ] = 10.0
    replay_seconds: Annotated[float, Meta(gt=0, description="How long a replay may take.")] = 15.0
    late_seconds: Annotated[
        float,
        Meta(
            ge=0, description="How much later than its instant an event may have reached the log, for replays to find it."
        ),
    ] = 300.0
    topic_refresh_seconds: Annotated[float, Meta(gt=0, description="How often subscribers look for new topics.")] = 1.0
    session_seconds: Annotated[
        float, Meta(gt=0, description="A group's member that was not heard of for so long is dead: others take over.")
    ] = 10.0
    flush_seconds: Annotated[
        float,
        Meta(ge=0, description="How long a stop waits for acknowledgements, and for subscribers to handle what came."),
    ] = 5.0

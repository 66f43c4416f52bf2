"""TLS and a login: the hub gets in with them, not without, and never over a certificate that nobody vouches for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from ringforge_eventbus_kafka import KafkaEventBus, KafkaEventBusSettings

from ringforge_core.errors import ConfigError, Unavailable
from ringforge_core.plugin import AdapterContext, Secret
from ringforge_core.ports.event_bus import ReplayFilter
from ringforge_core.testkit.event_bus import Collector, ids, new_event, new_topic
from ringforge_core.testkit.hub_process import free_port
from ringforge_core.testkit.kafka import own_kafka_broker
from ringforge_core.testkit.maven import skip_without_java

PASSWORD = "open-sesame"

BROKER = """
listener.name.login.ssl.keystore.type=PEM
listener.name.login.ssl.keystore.location={keystore}
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.login.plain.sasl.jaas.config=\
    org.apache.kafka.common.security.plain.PlainLoginModule required user_hub="{password}";
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker that lets in who comes over TLS and knows the password."""
    skip_without_java()
    certificate = authority.issue_cert("127.0.0.1")
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    keystore = tmp_path_factory.mktemp("tls") / "keystore.pem"
    keystore.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    )
    address = f"127.0.0.1:{free_port()}"
    with own_kafka_broker(
        properties=BROKER.format(keystore=keystore, password=PASSWORD),
        more_listeners=f",LOGIN://{address}",
        users=(f"SCRAM-SHA-512=[name=hub,password={PASSWORD}]",),
    ):
        yield address


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def bus_with(directory: Path, **settings: Any) -> KafkaEventBus:
    given = {"security_protocol": "SASL_SSL", "sasl_username": "hub", "publish_seconds": 3, **settings}
    return KafkaEventBus(KafkaEventBusSettings(**given), AdapterContext(data_directory=directory, store=None, node="test"))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_the_bus_works_over_tls_and_a_login(
    guarded: str, authority_file: Path, tmp_path: Path, mechanism: str
) -> None:
    bus = bus_with(
        tmp_path,
        bootstrap_servers=(guarded,),
        tls_ca_file=authority_file,
        sasl_mechanism=mechanism,
        sasl_password=Secret(PASSWORD),
    )
    await bus.start()
    topic = new_topic()
    alone, shared = Collector(topic), Collector(topic)
    await bus.subscribe(alone)
    await bus.subscribe(shared, group=f"workers-{mechanism}")
    event = msgspec.structs.replace(new_event(topic), seq=1)
    await bus.publish([event])
    assert await alone.wait_for(1, seconds=10) == [event.event_id]
    assert await shared.wait_for(1, seconds=10) == [event.event_id]
    assert ids((await bus.replay(topic, ReplayFilter())).events) == [event.event_id]
    await bus.stop()


async def test_a_wrong_password_does_not_get_in_and_is_not_shown(
    guarded: str, authority_file: Path, tmp_path: Path
) -> None:
    bus = bus_with(tmp_path, bootstrap_servers=(guarded,), tls_ca_file=authority_file, sasl_password=Secret("wrong-guess"))
    with pytest.raises(Unavailable) as refusal:
        await bus.start()
    await bus.stop()
    assert "wrong-guess" not in f"{refusal.value} {refusal.value.__cause__!r} {bus._settings!r}"


async def test_a_broker_whose_certificate_nobody_vouches_for_gets_no_password(guarded: str, tmp_path: Path) -> None:
    bus = bus_with(tmp_path, bootstrap_servers=(guarded,), sasl_password=Secret(PASSWORD))
    with pytest.raises(Unavailable):
        await bus.start()
    await bus.stop()


def test_a_login_without_a_password_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="login") as mistake:
        bus_with(tmp_path)
    assert "sasl_password" in mistake.value.fix


def test_a_file_that_is_no_certificate_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    wrong = tmp_path / "authority.pem"
    wrong.write_text("no certificate")
    with pytest.raises(ConfigError, match="TLS") as mistake:
        bus_with(tmp_path, tls_ca_file=wrong, sasl_password=Secret(PASSWORD))
    assert "tls_ca_file" in mistake.value.fix

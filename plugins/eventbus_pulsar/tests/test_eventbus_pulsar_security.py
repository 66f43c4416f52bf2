"""TLS, a token and OAuth 2.0: the hub gets in with them, not without, and never over a certificate that nobody vouches for.

The broker is real and started for this file, in about 8 s.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from ringforge_eventbus_pulsar import PulsarEventBusSettings
from ringforge_eventbus_pulsar.admin import Admin

from ringforge_core.errors import ConfigError, RingforgeError, Unavailable
from ringforge_core.plugin import Secret
from ringforge_core.ports.event_bus import ReplayFilter
from ringforge_core.testkit.event_bus import Collector, ids, new_event, new_topic
from ringforge_core.testkit.hub_process import free_port
from ringforge_core.testkit.pulsar import PulsarServer, own_pulsar_server

KEY = b"a secret of thirty-two bytes ..."

CONFIGURATION = """
brokerServicePortTls={broker_port}
webServicePortTls={web_port}
tlsCertificateFilePath={certificate}
tlsKeyFilePath={key}
tlsTrustCertsFilePath={authority}
authenticationEnabled=true
authorizationEnabled=true
authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken
tokenSecretKey=data:;base64,{secret}
superUserRoles=operator
brokerClientAuthenticationPlugin=org.apache.pulsar.client.impl.auth.AuthenticationToken
brokerClientAuthenticationParameters=token:{token}
"""


def token(role: str) -> str:
    """A JSON Web Token that the broker believes."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    text = f"{part(json.dumps({'alg': 'HS256'}).encode())}.{part(json.dumps({'sub': role}).encode())}"
    return f"{text}.{part(hmac.new(KEY, text.encode(), hashlib.sha256).digest())}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file with the authority's certificate."""
    file = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture(scope="module")
def guarded(authority: trustme.CA, trusted: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulsarServer]:
    """A broker over TLS that wants a token."""
    folder, issued = tmp_path_factory.mktemp("tls"), authority.issue_cert("127.0.0.1")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    broker_port, web_port = free_port(), free_port()
    configuration = CONFIGURATION.format(
        broker_port=broker_port, web_port=web_port, certificate=folder / "certificate.pem", key=folder / "key.pem",
        authority=trusted, secret=base64.b64encode(KEY).decode(), token=token("operator"),
    )  # fmt: skip
    with own_pulsar_server(configuration=configuration, token=token("operator")):
        yield PulsarServer(f"pulsar+ssl://127.0.0.1:{broker_port}", f"https://127.0.0.1:{web_port}")


@pytest.fixture
async def issuer() -> AsyncIterator[str]:
    """An OAuth 2.0 issuer that gives `operator`'s token to who knows the secret; the address of its metadata's folder."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:")), 0)
        form = (await reader.readexactly(length)).decode()
        status, body = "200 OK", {"token_endpoint": f"{address}/token"}
        if head.startswith("post"):
            knows = "client_secret=sesame" in form or '"client_secret":"sesame"' in form.replace(" ", "")
            granted = {"access_token": token("operator"), "token_type": "Bearer", "expires_in": 300}
            status, body = ("200 OK", granted) if knows else ("401 Unauthorized", {"error": "invalid_client"})
        text = json.dumps(body).encode()
        lines = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\nConnection: close\r\n"
        )
        writer.write(lines.encode() + b"\r\n" + text)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield address
    server.close()


async def passes_an_event(bus) -> None:
    topic = new_topic()
    collector = Collector(topic)
    await bus.subscribe(collector)
    event = msgspec.structs.replace(new_event(topic), epoch="e", seq=1)
    await bus.publish([event])
    assert await collector.wait_for(1, seconds=20) == ids([event])
    assert ids((await bus.replay(topic, ReplayFilter())).events) == ids([event])


async def test_a_token_over_tls_gets_in(running_on, guarded: PulsarServer, trusted: str) -> None:
    async with running_on(guarded, token=Secret(token("operator")), tls_ca_file=trusted) as bus:
        await passes_an_event(bus)


async def test_oauth2_over_tls_gets_in(running_on, guarded: PulsarServer, trusted: str, issuer: str) -> None:
    client = {"oauth2_issuer_url": issuer, "oauth2_client_id": "hub", "oauth2_client_secret": Secret("sesame")}
    async with running_on(guarded, **client, tls_ca_file=trusted) as bus:
        await passes_an_event(bus)


async def test_a_wrong_secret_is_told_with_what_to_check(running_on, guarded, trusted: str, issuer: str) -> None:
    client = {"oauth2_issuer_url": issuer, "oauth2_client_id": "hub", "oauth2_client_secret": Secret("guess")}
    with pytest.raises(Unavailable) as refused:
        async with running_on(guarded, **client, tls_ca_file=trusted):
            pass
    assert "oauth2_" in refused.value.fix


@pytest.mark.parametrize("given", [None, "stranger"])
async def test_no_token_or_another_role_does_not_get_in(running_on, guarded, trusted: str, given: str | None) -> None:
    chosen = Secret(token(given)) if given else None
    with pytest.raises(Unavailable) as refused:
        async with running_on(guarded, token=chosen, tls_ca_file=trusted):
            pass
    assert "[event_bus.pulsar]" in refused.value.fix or "administrator" in refused.value.fix


async def test_who_may_not_read_any_more_is_told_so_at_once(running_on, guarded, trusted: str) -> None:
    """The hub's role loses the administration of its tenant, and keeps only the right to publish."""
    topic, url = new_topic(), {"service_url": guarded.service_url, "admin_url": guarded.admin_url}
    operator = Admin(PulsarEventBusSettings(**url, token=Secret(token("operator")), tls_ca_file=trusted))
    await operator.put("tenants/lent", {"adminRoles": ["hub"], "allowedClusters": await operator.get("clusters")})
    mine = {"tenant": "lent", "namespace": "mine", "token": Secret(token("hub")), "tls_ca_file": trusted}
    async with running_on(guarded, **mine, request_seconds=30.0) as bus:
        await bus.publish([msgspec.structs.replace(new_event(topic), epoch="e", seq=1)])
        assert len((await bus.replay(topic, ReplayFilter())).events) == 1
        await operator.post("namespaces/lent/mine/permissions/hub", ["produce"])
        await operator.post("tenants/lent", {"adminRoles": [], "allowedClusters": await operator.get("clusters")})
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="refuses this hub's credentials") as refused:
                await bus.replay(topic, ReplayFilter())
    assert "what the role may do" in refused.value.fix
    await operator.close()


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(running_on, guarded) -> None:
    with pytest.raises(RingforgeError, match=r"(?i)certificate"):
        async with running_on(guarded, token=Secret(token("operator"))):
            pass


@pytest.mark.parametrize("half", [{"oauth2_issuer_url": "http://127.0.0.1:9"}, {"tls_certificate_file": "hub.pem"}])
async def test_half_a_credential_is_a_wrong_configuration(running_on, guarded, half: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"\[event_bus\.pulsar\]") as wrong:
        async with running_on(guarded, **half):
            pass
    assert wrong.value.fix


async def test_no_secret_is_shown(running_on, guarded, trusted: str, caplog: pytest.LogCaptureFixture, capfd) -> None:
    secret = token("operator")
    with caplog.at_level(logging.DEBUG):
        async with running_on(guarded, token=Secret(secret), tls_ca_file=trusted) as bus:
            await passes_an_event(bus)
    printed = capfd.readouterr()
    assert secret not in caplog.text + printed.out + printed.err

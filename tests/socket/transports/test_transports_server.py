"""Starting and stopping: addresses, TLS, drain, signals."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys

import pytest
import trustme
import websockets
from litestar import Litestar
from raw_websocket import CLOSE, DEADLINE, RawClient, client_frame, close_payload

from ringforge_core.errors import ConfigError, Unavailable
from ringforge_core.socket.rfc6455 import text_frame
from ringforge_core.socket.server import Tls, listen, new_event_loop, serve


async def test_a_taken_port_is_a_clear_error(raw_hub):
    with pytest.raises(Unavailable) as caught:
        await serve(Litestar(), host="127.0.0.1", port=raw_hub.port)
    assert caught.value.reason == "address_in_use"
    assert str(raw_hub.port) in caught.value.message
    assert caught.value.fix
    await raw_hub.serves()


async def test_a_host_that_is_none_is_a_clear_error():
    with pytest.raises(ConfigError, match=r"no-such-host\.invalid"):
        await serve(Litestar(), host="no-such-host.invalid", port=0)


async def test_localhost_is_served_on_all_its_addresses(serving):
    async with serving(host="localhost") as hub:
        for *_, address in await asyncio.get_running_loop().getaddrinfo("localhost", hub.port, type=socket.SOCK_STREAM):
            _, writer = await asyncio.open_connection(address[0], address[1])
            writer.close()


async def test_no_answer_waits_for_the_acknowledgement_of_the_one_before():
    """On asyncio's own loop each request of a browser's connection would take 40 ms more."""
    (listening,) = await listen("127.0.0.1", 0)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_application_that_does_not_start_is_a_clear_error(serving):
    def broken() -> None:
        raise RuntimeError("no database")

    with pytest.raises(Unavailable, match="did not start"):
        await serve(Litestar(on_startup=[broken]), host="127.0.0.1", port=0)


@pytest.fixture
def certificate(tmp_path) -> tuple[Tls, ssl.SSLContext]:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    tls = Tls(certificate=tmp_path / "chain.pem", key=tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tls.certificate)
    issued.private_key_pem.write_to_path(tls.key)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return tls, client


async def test_over_tls(serving, certificate, wait_until):
    tls, context = certificate
    async with serving(tls=tls) as hub:
        async with websockets.connect(f"wss://localhost:{hub.port}/ws", ssl=context, max_size=None) as client:
            for message in ("hi", "x" * 1_000_000):
                await client.send(message)
                assert await client.recv() == message
            await (await client.ping())
        await wait_until(lambda: hub.connections[0].closed)
        assert hub.connections[0].closed == [(1000, "")]

        client = await RawClient.connect(hub.port, tls=context, early=client_frame(b"early"))
        assert await client.text() == "early"
        client.send(b"\x81\x00")
        assert (await client.close_frame())[0] == 1002
        await client.ended()

        client = await RawClient.connect(hub.port, tls=context)
        hub.connections[-1].transport.close(1008, "kicked")
        assert await client.close_frame() == (1008, "kicked")
        await client.ended()
        await wait_until(lambda: all(len(echo.closed) == 1 for echo in hub.connections))


async def test_back_pressure_over_tls(serving, certificate, wait_until):
    tls, context = certificate
    async with serving(tls=tls) as hub:
        client = await RawClient.connect(hub.port, tls=context)
        echo = hub.connections[0]
        echo.transport.pause_reading()
        client.send(client_frame(b"held back"))
        client.writer.transport.pause_reading()
        sent = 0
        while not echo.transport.paused:
            echo.transport.write(text_frame(b"x" * 65_000))
            sent += 1
            await asyncio.sleep(0)
        assert echo.texts == []
        client.writer.transport.resume_reading()
        for _ in range(sent):
            assert len(await client.text()) == 65_000
        await wait_until(lambda: echo.drained)
        echo.transport.resume_reading()
        assert await client.text() == "held back"
        client.vanish()


async def test_a_certificate_that_cannot_be_used_is_a_clear_error(tmp_path):
    (tmp_path / "not.pem").write_text("not a certificate")
    for name in ("missing.pem", "not.pem"):
        with pytest.raises(ConfigError, match="TLS"):
            await serve(Litestar(), host="127.0.0.1", port=0, tls=Tls(certificate=tmp_path / name, key=tmp_path / name))


async def test_the_application_drains_before_anything_is_closed(serving):
    stop, drained = asyncio.Event(), asyncio.Event()

    async def drain() -> None:
        for echo in hub.connections:
            echo.transport.write(text_frame(b"draining"))
        await drained.wait()

    async with serving(before_shutdown=drain, stop=stop) as hub:
        client, echo = await hub.connect()
        stop.set()
        assert await client.text() == "draining"
        client.send(client_frame(b"still served"))
        assert await client.text() == "still served"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", hub.port)
        drained.set()
        assert await client.frame() == (CLOSE, close_payload(1012, "the hub restarts"))
        client.send(client_frame(close_payload(1012), CLOSE))
        await client.ended()
    assert echo.closed == [(1012, "the hub restarts")]


async def test_a_drain_that_fails_does_not_keep_the_server_running(serving, wait_until):
    async def drain() -> None:
        raise RuntimeError("no drain")

    with pytest.raises(RuntimeError, match="no drain"):
        async with serving(before_shutdown=drain) as hub:
            client, echo = await hub.connect()
    assert await client.close_frame() == (1012, "the hub restarts")
    assert len(echo.closed) == 1


async def test_a_client_that_does_not_leave_cannot_hold_up_the_stop(serving):
    async with serving(grace=1) as hub:
        client, echo = await hub.connect()
        client.writer.transport.pause_reading()
        while not echo.transport.paused:
            echo.transport.write(text_frame(b"x" * 65_000))
            await asyncio.sleep(0)
    assert echo.closed == [(1012, "the hub restarts")]


async def test_cancelling_the_server_cuts_everything_off(raw_hub, wait_until):
    started, shut_down = asyncio.Event(), []
    raw_hub.app.on_shutdown.append(lambda: shut_down.append(True))
    task = asyncio.create_task(serve(raw_hub.app, host="127.0.0.1", port=0, on_started=lambda h, p: listening(p)))

    def listening(port: int) -> None:
        raw_hub.port = port
        started.set()

    await started.wait()
    client, echo = await raw_hub.connect()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shut_down, "the application has heard of it"
    await client.ended()
    await wait_until(lambda: echo.closed)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", raw_hub.port)


def test_the_loop_of_the_hub_is_uvloop():
    loop = new_event_loop()
    assert type(loop).__module__.startswith("uvloop")
    loop.close()


HUB = """
import asyncio, sys
from litestar import Litestar
from ringforge_core.socket.server import new_event_loop, serve

async def drain():
    print("draining", flush=True)

async def main():
    await serve(Litestar(), host="127.0.0.1", port=0, on_started=lambda host, port: print(port, flush=True),
                before_shutdown=drain)
    print("the store is closed", flush=True)

with asyncio.Runner(loop_factory=new_event_loop) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_in_order(number):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HUB, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE * 2):
        assert process.stdout
        assert int(await process.stdout.readline()) > 0
        process.send_signal(number)
        out, err = await process.communicate()
    assert out.decode().splitlines() == ["draining", "the store is closed"], err.decode()
    assert process.returncode == 0

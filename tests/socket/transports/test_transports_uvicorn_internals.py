"""Fails when the internals of uvicorn that the take-over stands on have moved: see socket/uvicorn_protocol.py.

When it does after an upgrade, read the two classes of uvicorn anew before widening the version in pyproject.toml.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
from raw_websocket import RawClient, client_frame
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ringforge_core.socket.raw import EXTENSION
from ringforge_core.socket.uvicorn_protocol import HandoverProtocol, UpgradingHttpProtocol


def test_the_version_is_the_one_whose_source_was_read():
    assert version("uvicorn").split(".")[:2] == ["0", "54"]


@pytest.mark.parametrize(
    ("ours", "theirs"), [(HandoverProtocol, WebSocketsSansIOProtocol), (UpgradingHttpProtocol, HttpToolsProtocol)]
)
def test_every_method_that_is_overridden_is_still_there_with_its_parameters(ours, theirs):
    new = {"hand_over", "_upgrade", "_go_on_with_asgi", "_await_head", "_head_came", "__init__"}
    for name, method in vars(ours).items():
        if inspect.isfunction(method) and name not in new:
            assert list(inspect.signature(method).parameters) == list(inspect.signature(getattr(theirs, name)).parameters)


def test_the_lines_that_the_take_over_replaces_are_unchanged():
    """Without these, uvicorn would close the socket when the application returns, or ping a peer that we answer for."""
    source = inspect.getsource(WebSocketsSansIOProtocol)
    assert "if self.close_timer is None:\n            self.transport.close()" in source
    assert "self.start_keepalive()" in inspect.getsource(WebSocketsSansIOProtocol.send)
    assert "except httptools.HttpParserUpgrade:" in inspect.getsource(HttpToolsProtocol.data_received)


async def test_a_live_protocol_has_the_state_that_the_take_over_uses(raw_hub, wait_until):
    raw_hub.authenticated.clear()
    client = await RawClient.open(raw_hub.port, early=client_frame(b"early"))
    await wait_until(lambda: raw_hub.scopes)
    protocol = raw_hub.scopes[0]["extensions"][EXTENSION]
    assert protocol.handshake_initiated is True
    assert protocol.handshake_complete is False
    assert protocol.close_sent is False
    assert protocol.ping_timer is None
    assert protocol in protocol.connections
    assert len(protocol.tasks) == 1
    raw_hub.authenticated.set()
    await client.upgraded()
    assert await client.text() == "early"
    await wait_until(lambda: not protocol.tasks)
    assert protocol.connections == {raw_hub.connections[0].transport}
    assert protocol.ping_timer is None
    client.vanish()
    await wait_until(lambda: not protocol.connections)

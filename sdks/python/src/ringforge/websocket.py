"""Opens the WebSocket: headers, bounds, and what a refusal means."""

from __future__ import annotations

import logging
from ssl import SSLContext

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from ringforge.errors import AuthenticationError, ConnectionLost

OPEN_TIMEOUT = 10.0
MAX_MESSAGE = 2 * 1024 * 1024
"""Bytes; the hub keeps its messages below 1 MiB."""


async def open_websocket(url: str, api_key: str | None, *, tls: SSLContext | None = None) -> ClientConnection:
    """Connect, not yet joined; without an `api_key` the URL proves who comes.

    Raises `AuthenticationError` when the hub refuses the key or the agent, else `ConnectionLost`.
    """
    # Its debug log shows the request's headers, and with them the API key.
    quiet = logging.getLogger("ringforge.websocket")
    quiet.setLevel(logging.INFO)
    try:
        return await connect(
            url,
            additional_headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
            compression=None,  # costs the hub more than half its rate, and the hub does not offer it
            max_size=MAX_MESSAGE,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=2,
            ping_interval=None,  # the Phoenix heartbeat does this work
            logger=quiet,
            ssl=tls or (True if url.startswith("wss:") else None),
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if status in (401, 403):
            raise AuthenticationError(
                "invalid_api_key",
                "The hub refused the connection.",
                "Check that the API key is a live or test key and still valid, and that the agent was not removed.",
                {"status": status},
            ) from None
        raise ConnectionLost("refused", f"The hub answered with HTTP {status}.") from None
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise ConnectionLost("unreachable", f"No hub at the address: {error}.", "Is it running?") from error

"""From the address that a person writes to the URLs that are connected to. The API key is in none of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

PATH = "/ws/websocket"
CHALLENGE_PATH = "/api/auth/challenge"


class Address:
    """Where the hub is, and what the agent says about itself when it comes there first."""

    def __init__(self, url: str, *, name: str | None, framework: str | None, capabilities: Sequence[str]) -> None:
        """`ValueError` for anything but `ws://host` or `wss://host`, with a path if the hub is behind a prefix."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError("the hub's address looks like ws://127.0.0.1:4000 or wss://hub.example.org")
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("the hub's address takes no query, fragment or credentials; give the key as api_key")
        self._parts = parts._replace(path=parts.path.rstrip("/").removesuffix(PATH) + PATH)
        known = {"name": name, "framework": framework, "capabilities": list(capabilities)}
        self._agent = {field: value for field, value in known.items() if value}

    @property
    def hub(self) -> str:
        """Tells hubs apart: host, port and prefix, such as `127.0.0.1:4000`."""
        return self._parts.netloc.lower() + self._parts.path.removesuffix(PATH)

    @property
    def challenge(self) -> str:
        """Where a challenge is asked for, over HTTP."""
        scheme = "https" if self._parts.scheme == "wss" else "http"
        return urlunsplit(self._parts._replace(scheme=scheme, path=self._parts.path.removesuffix(PATH) + CHALLENGE_PATH))

    def first(self, public_key: bytes | None = None) -> str:
        """Registers the agent; one without a name is a new agent each time."""
        agent = self._agent if public_key is None else {**self._agent, "public_key": public_key}
        return self._with_query(agent=msgspec.json.encode(agent).decode())

    def proven(self, agent_id: str, signature: bytes) -> str:
        """Comes back as the agent whose key made the signature of the last challenge."""
        return self._with_query(agent_id=agent_id, challenge_response=base64.b64encode(signature).decode())

    def again(self, agent_id: str) -> str:
        """Comes back as the agent that the hub knows under this id."""
        return self._with_query(agent_id=agent_id)

    def _with_query(self, **query: str) -> str:
        return urlunsplit(self._parts._replace(query=urlencode({**query, "vsn": "2.0.0"})))

"""Where a client really is: the peer's address, or what a trusted proxy says of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

ClientAddress = Callable[[Any], str | None]


def client_address(trusted_proxies: Sequence[str]) -> ClientAddress:
    """A function from an ASGI scope to the client's address.

    `X-Forwarded-For` is read from the right, past trusted proxies only: what stands further left, anybody can write.
    """
    networks = [ipaddress.ip_network(proxy) for proxy in trusted_proxies]

    def is_trusted(address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in networks)
        except ValueError:
            return False

    def of(scope: Any) -> str | None:
        client = scope.get("client")
        address: str | None = client[0] if client else None
        if address is None or not is_trusted(address):
            return address
        hops = [
            hop.strip()
            for name, value in scope["headers"]
            if name == b"x-forwarded-for"
            for hop in value.decode("latin-1").split(",")
        ]
        return next((hop for hop in reversed(hops) if not is_trusted(hop)), address)

    return of

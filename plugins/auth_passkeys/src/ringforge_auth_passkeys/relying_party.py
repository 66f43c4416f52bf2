"""Who the hub is to a browser. It follows from `[hub] public_url`, else from the address that the browser called."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request

from ringforge_core.errors import Refused

_DEFAULT_PORTS = {"http": 80, "https": 443}


class RelyingParty(msgspec.Struct, frozen=True):
    """A passkey is made for the `id`, a host name; an answer comes from the `origin`, as browsers write it."""

    id: str
    origin: str


def relying_party(request: Request[Any, Any, Any], public_url: str | None) -> RelyingParty:
    """Raises `Refused` where no browser makes passkeys: at a bare IP address, and without https unless on localhost."""
    url = urlsplit(public_url or f"{request.scope['scheme']}://{request.headers.get('host', '')}")
    try:
        host, port = (url.hostname or "").lower(), url.port
    except ValueError as error:
        raise _unavailable("This address has no host name.", "Open the hub at its name.") from error
    shown = f":{port}" if port is not None and port != _DEFAULT_PORTS.get(url.scheme) else ""
    if (address := _ip_address(host)) is not None:
        there = f"Open http://localhost{shown} instead." if address.is_loopback else "Open the hub at a name, over https."
        raise _unavailable("Browsers make passkeys for names, not for IP addresses.", there)
    if url.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        raise _unavailable("Browsers make passkeys over https only.", "Open the hub over https.")
    return RelyingParty(host, f"{url.scheme}://{host}{shown}")


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unavailable(message: str, fix: str) -> Refused:
    return Refused(message, reason="passkeys_unavailable", fix=fix)

"""What a transport takes and holds at most."""

from __future__ import annotations

import msgspec


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds."""

    max_message: int = 1 << 20
    """A bigger message from the client closes the connection with 1009, before it is held in full."""

    high_water: int = 64 << 10
    """Past this many bytes not yet taken by the kernel, `paused` is true…"""

    low_water: int = 16 << 10
    """… until only this many are left; then comes `on_drained`."""

    close_timeout: float = 5.0
    """How long a peer has to take what is pending and to answer a close frame before it is cut off."""


DEFAULT_BOUNDS = Bounds()

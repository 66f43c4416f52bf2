"""Which hub, and as whom: the environment where it names an API key, else the profile that `login` left."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec

from ringforge_core.cli.agent.profile import DEFAULT, default_name, directory, read_profile
from ringforge_core.cli.lazy import load
from ringforge_core.errors import RingforgeError

if TYPE_CHECKING:
    from ringforge import Agent

FRAMEWORK = "ringforge agent"
LOCAL_HUB = "ws://127.0.0.1:4000"


class Access(msgspec.Struct, frozen=True):
    """What the options say; None for what they leave open."""

    url: str | None = None
    name: str | None = None
    profile: str | None = None


def make_agent(access: Access) -> Agent:
    """Not connected yet. Raises `RingforgeError` when there is neither an API key nor a profile."""
    api_key = os.environ.get("RINGFORGE_API_KEY")
    if api_key and access.profile is None:  # in scripts and containers: nothing is left behind
        url = websocket_url(access.url or LOCAL_HUB)
        return sdk_agent(url, api_key=api_key, name=access.name or default_name(), key_directory=None)
    found = read_profile(access.profile or DEFAULT)
    return sdk_agent(websocket_url(access.url or found.url), name=access.name or found.name, key_directory=directory())


def sdk_agent(url: str, **options: Any) -> Agent:
    """The SDK's `Agent`. Core can be imported and used without the SDK: when it is missing, this says so."""
    if find_spec("ringforge") is None:
        raise RingforgeError("To be an agent takes the Python SDK.", fix="pip install ringforge")
    try:
        agent: Agent = load("ringforge:Agent")(url, framework=FRAMEWORK, **options)
    except ValueError as error:
        raise RingforgeError(f"{error}.", fix=f"For instance {LOCAL_HUB}.") from error
    return agent


def websocket_url(url: str) -> str:
    """People copy the address from a browser."""
    return f"ws{url.removeprefix('http')}" if url.startswith(("http://", "https://")) else url

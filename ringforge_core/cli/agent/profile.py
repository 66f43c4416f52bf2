"""A profile: which hub and which agent of it this shell is. The agent's key pair is in a file beside it, of the SDK."""

from __future__ import annotations

import getpass
import os
import re
import socket
import tempfile
from pathlib import Path

import msgspec

from ringforge_core.errors import RingforgeError

DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Profile(msgspec.Struct, frozen=True):
    """What `login` found out; nothing in it is secret."""

    url: str
    name: str


def directory() -> Path:
    """Where profiles and key files are; the SDK's own default."""
    return Path("~/.config/ringforge").expanduser()


def default_name() -> str:
    """The agent's name when none is given, such as `ann@workstation`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"[:100]


def path_of(profile: str) -> Path:
    """Raises `RingforgeError` for a name that is no file name."""
    if not _NAME.fullmatch(profile):
        raise RingforgeError(f'"{profile}" is no name for a profile.', fix="Use letters, digits, dots and dashes.")
    return directory() / f"{profile}.profile.json"


def read_profile(profile: str) -> Profile:
    """Raises `RingforgeError` when there is none."""
    path = path_of(profile)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except FileNotFoundError:
        option = "" if profile == DEFAULT else f" --profile {profile}"
        raise RingforgeError(
            f"This shell is no agent yet: there is no profile {profile}.",
            fix=f"ringforge agent login ws://127.0.0.1:4000{option}; or set RINGFORGE_URL and RINGFORGE_API_KEY.",
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise RingforgeError(f"{path} cannot be read: {error}", fix="ringforge agent login makes it anew.") from error


def write_profile(profile: str, content: Profile) -> Path:
    """All of it or nothing, for its owner's eyes."""
    path = path_of(profile)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content)))
    return Path(temporary).replace(path)

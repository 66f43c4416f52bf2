"""`ringforge agent …`: be an agent from a shell, by hand and in scripts.

access.py     which hub, and as whom: the environment or a profile
profile.py    the profile that `login` leaves behind
talking.py    one connection of the Python SDK around a command, with its errors made ours
options.py    the arguments that several commands take
lines.py      what is heard, as lines for people and for programs
"""

from __future__ import annotations

import rich_click as click

from ringforge_core.cli.lazy import LazyGroup

COMMANDS = {
    name: f"ringforge_core.cli.agent.{name}:{name}"
    for name in ("login", "listen", "send", "broadcast", "memory", "roster", "history")
}

EPILOG = """
Examples:

  ringforge agent login --name scout         asks for the API key, this once
  ringforge agent listen                     hear the fleet until Ctrl+C
  ringforge agent send builder "How far are you?" --wait 60
  ringforge agent broadcast discovery "The cache is cold" --tags cache
  ringforge agent memory set plans/q3 '{"goal": 3}'

After the login the shell proves itself with a key pair; the API key is not
kept. In scripts and containers set RINGFORGE_URL and RINGFORGE_API_KEY
instead, and RINGFORGE_AGENT for a name. With --json commands print JSON.

Messages to an agent are brought once: a command that ends at once shows on
stderr those that came meanwhile. To write from one shell to another, log in
twice: --profile or RINGFORGE_PROFILE names the login.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such entry, agent or answer.
"""


@click.group(cls=LazyGroup, commands_by_name=COMMANDS, epilog=EPILOG)
def agent() -> None:
    """Be an agent of a fleet: listen, write, remember. Needs the Python SDK (pip install ringforge)."""

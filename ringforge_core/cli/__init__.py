"""The command line: `ringforge --help` teaches it.

Each command is a module of its own that is imported only when it runs (or its help is shown), so that `serve` starts
without what the others need.
"""

from __future__ import annotations

import gc
from typing import NoReturn


def main() -> NoReturn:
    """The entry point."""
    gc.disable()  # until the command runs: what is imported is no garbage, and to look for some took a tenth of a start
    from ringforge_core.cli.root import run  # not before the line above

    run()

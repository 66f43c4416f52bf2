"""The command line as a user has it: the real entry point, run in an empty directory."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from command_line import Outcome, Run
from throwaway_plugins import plugin_directory

from ringforge_core.cli import main

__all__ = ["plugin_directory"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `ringforge …` in this process; the working directory is empty and nothing of the environment is ours."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("RINGFORGE"):
            monkeypatch.delenv(name)
    handlers, level = logging.getLogger().handlers, logging.getLogger().level

    def run_main(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ringforge", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, out, err)

    yield run_main
    gc.enable()  # the entry point turns it off, and a usage error ends before a command turns it on
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()

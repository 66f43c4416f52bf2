"""`ringforge asyncapi` prints a document that the official parser finds valid, and it names every declared event."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ringforge_core.config import load_config, load_plugins
from ringforge_core.plugin.manager import PluginManager

FOLDER = Path(__file__).parent.parent / "asyncapi_js"


@pytest.fixture(scope="module")
def text() -> str:
    command = [sys.executable, "-m", "ringforge_core.cli", "asyncapi"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 — our own command


def test_every_declared_event_and_push_is_in_the_document(text: str) -> None:
    document = json.loads(text)
    named = {message["name"] for message in document["components"]["messages"].values()}
    for loaded in load_plugins(load_config(None, {}), PluginManager(), {}).capabilities:
        assert {declaration.name for declaration in loaded.capability.declarations()} <= named
        assert {push.wire for push in loaded.capability.pushes} <= named
    assert {"system:node_draining", "system:key_revoked"} <= named


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: install it to run the AsyncAPI parser")
@pytest.mark.skipif(not (FOLDER / "node_modules" / "@asyncapi").is_dir(), reason="run `npm install` in tests/asyncapi_js")
def test_the_official_parser_finds_no_error(text: str) -> None:
    node = shutil.which("node") or "node"
    run = subprocess.run(  # noqa: S603 — our own script
        [node, str(FOLDER / "validate.mjs")], input=text, capture_output=True, text=True, check=False
    )
    found = json.loads(run.stdout)
    assert found["errors"] == []
    assert "activity_broadcast" in found["operations"]

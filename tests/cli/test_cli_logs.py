"""What is logged: for people or as JSON, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ringforge_core.logs import configure_logs

KEY = "rf_live_ab12" + "x" * 28


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def events(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_terminal_gets_lines_for_people_and_a_pipe_json(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        configure_logs("info", "auto", stream)
        structlog.get_logger("ringforge").info("serving", port=4000)
    assert "\x1b[" in terminal.getvalue()
    event = json.loads(pipe.getvalue())
    assert (event["event"], event["port"], event["level"], event["logger"]) == ("serving", 4000, "info", "ringforge")
    assert event["timestamp"].endswith("Z")

    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    configure_logs("info", "auto", plain)
    structlog.get_logger("ringforge").info("serving", port=4000)
    assert "\x1b" not in plain.getvalue()
    assert "serving" in plain.getvalue()


def test_the_level_holds_for_us_and_for_libraries() -> None:
    stream = io.StringIO()
    configure_logs("warning", "json", stream)
    structlog.get_logger("ringforge").info("quiet")
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # as uvicorn does
    logging.getLogger("uvicorn.error").info("quiet")
    logging.getLogger("uvicorn.error").warning("loud")
    assert events(stream) == ["loud"]


def test_talkative_libraries_are_heard_only_when_debugging() -> None:
    for level, heard in (("info", ["ours"]), ("debug", ["theirs", "ours"])):
        stream = io.StringIO()
        configure_logs(level, "json", stream)  # type: ignore[arg-type]  # the texts are the literals
        logging.getLogger("uvicorn.error").info("theirs")
        logging.getLogger("ringforge_core.app").info("ours")
        assert events(stream) == heard


@pytest.mark.parametrize("layout", ["human", "json"])
def test_no_key_gets_into_a_log(layout: str) -> None:
    stream = io.StringIO()
    configure_logs("info", layout, stream)  # type: ignore[arg-type]  # the parametrized texts are the literals
    log = structlog.get_logger("ringforge")
    log.info(f"joined with {KEY}", api_key=KEY, nested={"token": "hunter2"}, password="hunter2")
    logging.getLogger("uvicorn.error").warning('"WebSocket /ws/websocket?api_key=%s" [accepted]', KEY)
    try:
        password = "hunter2-local"
        raise ValueError(f"bad key {KEY}")
    except ValueError:
        log.exception("failed", length=len(password))
        logging.getLogger("asyncio").exception("failed %s", KEY)
    written = stream.getvalue()
    assert KEY not in written
    assert "hunter2" not in written.replace('password = "hunter2-local"', "")
    assert "rf_live_ab12…" in written
    assert written.count("Traceback") == 2


def test_a_key_of_another_kind_under_a_telling_name_is_hidden() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)
    structlog.get_logger("ringforge").info("x", api_key="sk-other", authorization="Bearer abc", key_id="k1", keys=3)
    event = json.loads(stream.getvalue())
    assert (event["api_key"], event["authorization"]) == ("[redacted]", "[redacted]")
    assert (event["key_id"], event["keys"]) == ("k1", 3)

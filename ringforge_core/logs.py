"""Structured logs on stderr: for people in a terminal, JSON lines otherwise. No API key or password gets into them.

structlog is used because it makes one pipeline of our own events and of the standard library's records (uvicorn,
SQLAlchemy, asyncio), so that one redaction covers all, tracebacks too.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ringforge_core.plugin.secret import REDACTED, redact

_SECRET_NAME = re.compile(
    r"(password|passwd|secret|authorization|cookie|credential)|(^|[_-])token$|(api|admin|agent|private|access)[_-]?key$",
    re.IGNORECASE,
)
_TALKATIVE = ("alembic", "sqlalchemy", "asyncio", "uvicorn")
"""Libraries whose `info` is of use only to whoever debugs the hub; uvicorn has a line for each connection."""


def configure_logs(
    level: Literal["debug", "info", "warning", "error"],
    layout: Literal["auto", "human", "json"],
    stream: TextIO | None = None,
) -> None:
    """Send everything that is logged in this process to `stream` (stderr). A second call replaces the first."""
    stream = stream or sys.stderr
    human = layout == "human" or (layout == "auto" and stream.isatty())
    colours = human and stream.isatty() and not os.environ.get("NO_COLOR")
    first_steps: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=not human, key="timestamp"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *first_steps,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setLevel(level.upper())
    if level != "debug":
        handler.addFilter(_is_worth_a_line)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=first_steps,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _hide_secret_fields,
                *_renderers(human=human, colours=colours),
                _redact_line,
            ],
        )
    )
    _route_standard_library(handler)


def _renderers(*, human: bool, colours: bool) -> list[Processor]:
    if human:
        # Not the default traceback: it prints local variables, and those hold secrets.
        return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Decided here and not by levels of their loggers, which libraries set themselves."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in _TALKATIVE


def _route_standard_library(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(handler.level)
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def _hide_secret_fields(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {name: _hidden(name, value) for name, value in event.items()}


def _hidden(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        shown = redact(value) if isinstance(value, str) else REDACTED
        return shown if shown != value or value == "" else REDACTED
    if isinstance(value, Mapping):
        return {key: _hidden(str(key), inner) for key, inner in value.items()}
    return value


def _redact_line(logger: WrappedLogger, method: str, line: Any) -> Any:
    """The last step: whatever a message, a field or a traceback holds is text by now."""
    return redact(line)

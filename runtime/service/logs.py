"""Structured logs: one event per line, for people or as JSON, with secrets scrubbed."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from runtime.errors import CannotStart

__all__ = ["configure_logs", "scrub"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_HIDDEN = "***"
#: Names whose value is never written, wherever they stand.
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|aes_?key|api_?key|app_?code|authorization|cookie|b1session|private_?key", re.I
)
#: A colon that only goes on in words: "the secret: it is out of date". One that may stand before a secret is none.
_PROSE = (
    r"\s+(?:a|an|and|are|as|ask|at|but|by|check|enter|for|from|if|in|is|it|its|no|none|not|nothing|of|on|or|our|please"
    r"|see|that|the|these|they|this|to|was|when|with|your)\s+[a-z]"
)
#: ``name=value`` pairs inside a text, such as an address with a token in its query, a header, or JSON (also as a text
#: in JSON). What is quoted is hidden up to its end.
_SECRET_PAIR = re.compile(
    r"(?P<name>(?:access_?token|app_?secret|corp_?secret|password|passwd|secret|token|app_?code|signature|b1session"
    rf"|authorization)\\*[\"']?\s*(?:=|:(?!{_PROSE}))\s*)"
    r"(?:(?P<quote>\\*[\"'])(?:(?!(?P=quote))(?:\\.|.))+|(?:(?:basic|bearer|appcode)\s+)?(?:[^\s\"'&;,}\\]|\\(?![\"']))+)",
    re.I,
)
#: User and password in front of a host.
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s@]+@", re.I)


def configure_logs(level: str, form: str) -> None:
    """Send every log event, those of libraries included, to stderr.

    :param level: ``debug``, ``info``, ``warning`` or ``error``
    :param form: ``console`` or ``json``
    :raises CannotStart: another level or form was asked for
    """
    if level.lower() not in _LEVELS or form.lower() not in ("console", "json"):
        raise CannotStart(
            "B1_LOG 只能是 debug、info、warning 或 error，B1_LOG_FORMAT 只能是 console 或 json",
            "B1_LOG must be debug, info, warning or error; B1_LOG_FORMAT must be console or json",
            where=f"{level}, {form}",
        )
    number = _LEVELS[level.lower()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=form == "json"),
        structlog.processors.StackInfoRenderer(),
    ]
    if form.lower() == "json":
        render: list[structlog.types.Processor] = [
            structlog.processors.format_exc_info,
            scrub,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    else:
        colours = sys.stderr.isatty()
        render = [structlog.processors.format_exc_info, scrub, structlog.dev.ConsoleRenderer(colors=colours)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    # What these libraries report at INFO is noise beside our own events.
    for name in ("apscheduler", "uvicorn", "httpx", "httpcore", "alembic", "watchfiles", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide secrets: values under telling names at any depth, and ``name=value`` pairs inside texts."""
    for name, value in event.items():
        event[name] = _HIDDEN if _SECRET_NAME.search(name) and value else _scrubbed(value)
    return event


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        text = _SECRET_PAIR.sub(lambda found: f"{found['name']}{found['quote'] or ''}{_HIDDEN}", value)
        return _CREDENTIALS.sub(lambda found: f"{found['scheme']}:{_HIDDEN}@", text)
    if isinstance(value, dict):
        return {
            name: _HIDDEN if isinstance(name, str) and _SECRET_NAME.search(name) and item else _scrubbed(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    return value

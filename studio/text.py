"""Text for people: JSON indented, with every number exactly as it is sent; the names of systems and of events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from runtime import jsontext
from runtime.connectors.events import Event
from runtime.connectors.registry import connector_kind
from runtime.mapping.problems import Problem
from runtime.store.inbox import REPORTED
from studio.i18n import language, plain, t

__all__ = [
    "event_title",
    "headed",
    "json_fault",
    "kind_title",
    "listed",
    "named",
    "pretty",
    "problem_sentence",
    "problem_text",
]


def pretty(value: Any) -> str:
    """Indented JSON of a value."""
    return msgspec.json.format(jsontext.dumps(value), indent=2).decode()


def listed(names: Iterable[str]) -> str:
    """Names one after the other."""
    return t("text.comma").join(names)


def named(title: str, name: str) -> str:
    """What something is called with its technical name, such as a mapping's id, beside it; that alone where it has no
    title of its own.
    """
    return t("text.named", title=title, name=name) if title and title != name else name


def headed(title: str, name: str) -> str:
    """The same as Markdown, the technical name in small print."""
    return f"{plain(title)} :small[:gray[{plain(name)}]]" if title and title != name else plain(name)


def json_fault(text: str, error: ValueError) -> str:
    """Where a text that was refused stops being JSON, in the session's language; otherwise what the error says."""
    try:
        json.loads(text)
    except json.JSONDecodeError as fault:
        return t("json.fault", line=fault.lineno, column=fault.colno)
    return str(error)


def problem_text(problem: Problem) -> str:
    """What a check found, in the session's language."""
    return problem.zh if language() == "zh-CN" else problem.en


def problem_sentence(problem: Problem) -> str:
    """What a check found, and where."""
    text = problem_text(problem)
    return f"{problem.where}: {text}" if problem.where else text


def event_title(event: Event) -> str:
    """The type of an event; for what was reported over HTTP the flow that it was sent to."""
    if event.type.startswith(REPORTED):
        return t("callbacks.reported", flow=event.type.removeprefix(REPORTED))
    return event.type


def kind_title(kind: str, language: str) -> str:
    """The name of a connector kind in a language; the kind itself where it is not installed."""
    connector = connector_kind(kind)
    if connector is None:
        return kind
    return connector.title_zh if language.startswith("zh") else connector.title_en

"""Text for people: JSON indented, with every number exactly as it is sent, and the names of systems."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime import jsontext
from runtime.connectors.registry import connector_kind

__all__ = ["kind_title", "pretty"]


def pretty(value: Any) -> str:
    """Indented JSON of a value."""
    return msgspec.json.format(jsontext.dumps(value), indent=2).decode()


def kind_title(kind: str, language: str) -> str:
    """The name of a connector kind in a language; the kind itself where it is not installed."""
    connector = connector_kind(kind)
    if connector is None:
        return kind
    return connector.title_zh if language.startswith("zh") else connector.title_en

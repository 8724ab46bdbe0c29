"""JSON for people: indented, with every number exactly as it is sent."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime import jsontext

__all__ = ["pretty"]


def pretty(value: Any) -> str:
    """Indented JSON of a value."""
    return msgspec.json.format(jsontext.dumps(value), indent=2).decode()

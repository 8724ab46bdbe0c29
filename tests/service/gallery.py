"""Mappings made from the gallery's templates, as a consultant makes them: by command and in the designer."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["create", "fill"]


def create(desk: Any, template: str, name: str, roles: dict[str, str], **settings: Any) -> dict[str, Any]:
    """A mapping made by command."""
    made = desk.command(
        *("templates", "new", template, "--id", name),
        *(part for setting, value in settings.items() for part in ("--set", f"{setting}={value}")),
        *(part for role, connection in roles.items() for part in ("--connection", f"{role}={connection}")),
    )
    assert made.returncode == 0, made.stderr
    mapping: dict[str, Any] = json.loads((desk.mappings / f"{name}.json").read_text("utf-8"))
    return mapping


def fill(part: Any, filled: dict[str, Any]) -> None:
    """Put fields into the mapping's map step, as the designer does."""
    if isinstance(part, dict):
        if isinstance(part.get("map"), dict):
            part["map"] |= filled
        for value in part.values():
            fill(value, filled)
    elif isinstance(part, list):
        for value in part:
            fill(value, filled)

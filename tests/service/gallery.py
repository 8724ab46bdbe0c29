"""Mappings made from the gallery's templates, as a consultant makes them: by command and in the designer."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["create", "install"]


def create(desk: Any, template: str, name: str, roles: dict[str, str], **settings: Any) -> dict[str, Any]:
    """A mapping made by command."""
    desk.invoke(
        *("templates", "new", template, "--id", name),
        *(part for setting, value in settings.items() for part in ("--set", f"{setting}={value}")),
        *(part for role, connection in roles.items() for part in ("--connection", f"{role}={connection}")),
    )
    mapping: dict[str, Any] = json.loads((desk.mappings / f"{name}.json").read_text("utf-8"))
    return mapping


def install(
    desk: Any, template: str, name: str, roles: dict[str, str], filled: dict[str, Any], **settings: Any
) -> dict[str, Any]:
    """A mapping made by command, its map step filled, and switched on."""
    mapping = create(desk, template, name, roles, **settings)
    _fill(mapping["flows"], filled)
    mapping["enabled"] = True
    desk.save(mapping)
    return mapping


def _fill(part: Any, filled: dict[str, Any]) -> None:
    """Put fields into the mapping's map step, as the designer does."""
    if isinstance(part, dict):
        if isinstance(part.get("map"), dict):
            part["map"] |= filled
        for value in part.values():
            _fill(value, filled)
    elif isinstance(part, list):
        for value in part:
            _fill(value, filled)

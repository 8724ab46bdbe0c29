"""Connections that a mapping chooses at run time: the designer works with one of them and leaves the choice alone."""

from __future__ import annotations

from studio.designer.document import Json

__all__ = ["designed_with", "is_dynamic", "with_designed_connections"]


def is_dynamic(document: Json, role: str) -> bool:
    """Whether the connection of a role is chosen at run time."""
    return isinstance(document.get("connections", {}).get(role), dict)


def designed_with(document: Json, role: str) -> str:
    """The connection to design with: the role's own, or of those to choose from the default, else the first."""
    found = document.get("connections", {}).get(role)
    if isinstance(found, dict):
        among = found.get("among")
        found = found.get("default") or next(iter(among.values() if isinstance(among, dict) else ()), "")
    return str(found or "")


def with_designed_connections(document: Json) -> Json:
    """The document as it runs in a preview: every role with the connection to design with."""
    roles = document.get("connections", {})
    return {**document, "connections": {role: designed_with(document, role) for role in roles}}

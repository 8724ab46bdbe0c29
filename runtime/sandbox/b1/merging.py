"""How the lines of a PATCH meet the lines that are there."""

from __future__ import annotations

from typing import Any

from .rows import Row
from .schema import EntityType

__all__ = ["merge", "new_lines"]


def merge(row: Row, changes: Row, entity_type: EntityType, *, replace: bool) -> Row:
    """A new row: ``changes`` over ``row``, collections by the rule of their lines.

    :param replace: ``B1S-ReplaceCollectionsOnPatch``: lines that a sent collection does not name are removed
    """
    merged = dict(row)
    for name, value in changes.items():
        line_type = entity_type.line_types.get(name)
        if line_type is not None:
            merged[name] = _merge_lines(row.get(name, []), value, line_type, replace=replace)
        elif value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def new_lines(lines: list[Row], line_type: EntityType) -> list[Row]:
    """The lines of a new record, numbered."""
    return _merge_lines([], lines, line_type, replace=False)


def _merge_lines(there: list[Row], sent: list[Row], line_type: EntityType, *, replace: bool) -> list[Row]:
    """Lines matched by identity; without identity by position (documents) or appended (other collections)."""
    rule = line_type.rule
    if rule is None:
        return [merge({}, line, line_type, replace=False) for line in sent]
    lines: list[Row] = list(there)
    kept: set[int] = set()
    for position, line in enumerate(sent):
        at = _match(lines, len(there), position, line, line_type)
        if at is None:
            added = merge({}, line, line_type, replace=False)
            if rule.first is not None and added.get(rule.identity) is None:
                used = [other[rule.identity] for other in lines if other.get(rule.identity) is not None]
                added[rule.identity] = max(used, default=rule.first - 1) + 1
            kept.add(len(lines))
            lines.append(added)
        else:
            kept.add(at)
            lines[at] = merge(lines[at], _without_null_identity(line, rule.identity), line_type, replace=replace)
    if replace:
        lines = [line for at, line in enumerate(lines) if at in kept]
    if rule.order:
        lines = [
            line if line.get(rule.order) == number else {**line, rule.order: number}
            for number, line in enumerate(lines)
        ]
    return lines


def _match(lines: list[Row], before: int, position: int, line: Row, line_type: EntityType) -> int | None:
    """Index of the line that an entry means, or None for a new one."""
    rule = line_type.rule
    identity: Any = line.get(rule.identity) if rule else None
    if rule is None:
        return None
    if identity is not None:
        return next((at for at, other in enumerate(lines) if other.get(rule.identity) == identity), None)
    return position if rule.positional and position < before else None


def _without_null_identity(line: Row, identity: str) -> Row:
    return {name: value for name, value in line.items() if name != identity or value is not None}

"""The source side of the drag component where rows are read by SQL: what the statements yield, and what links miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from runtime.connectors.statements.fields import FieldList, StatementField
from runtime.mapping.dictionary import find_column
from studio.designer.fields import UNKNOWN_TYPE, Field, Group, shortened
from studio.designer.links import Board, Place

__all__ = ["expected_type", "gone", "statement_groups"]

#: Types of the dictionary that a column has as well; the Service Layer's enums and booleans are texts there.
_SAME: Final = frozenset({"text", "integer", "decimal", "date"})


def statement_groups(columns: Mapping[str, FieldList], board: Board, *, header_label: str) -> list[Group]:
    """Header and lines with the fields that their statements yield; a link to any other field is broken.

    :param columns: under the empty name those of the header, then those of each name of lines
    """
    groups = {name: {field.name: _field(field) for field in found.fields} for name, found in columns.items()}
    for place in sorted({item.source for item in board.links.values() if item.source is not None}):
        found = columns.get(place.group)
        group = groups.setdefault(place.group, {})
        if place.name not in group:
            missing = found is None or not found.more
            group[place.name] = Field(name=place.name, type=UNKNOWN_TYPE, missing=missing)
    return [Group(name=name, label=name or header_label, fields=tuple(of.values())) for name, of in groups.items()]


def gone(groups: Sequence[Group]) -> list[Place]:
    """The fields that links name and no statement yields."""
    return [Place(group.name, field.name) for group in groups for field in group.fields if field.missing]


def expected_type(field: StatementField) -> str:
    """The type of a field's values; before there were any, that of the column that it is."""
    if field.type:
        return field.type
    known = find_column(field.table, field.column) if field.name.casefold() == field.column.casefold() else None
    return known.type if known is not None and known.type in _SAME else UNKNOWN_TYPE


def _field(field: StatementField) -> Field:
    return Field(
        name=field.name,
        label=field.label,
        type=expected_type(field),
        sample=shortened(next(iter(field.samples), "")),
        table=field.table,
        column=field.column,
    )

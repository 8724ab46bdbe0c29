"""How an approval of any system is shown to the person who decides on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["ShownField", "shown_table"]


@dataclass(frozen=True)
class ShownField:
    """One control as the approver reads it: a text, or a table's columns and rows."""

    label: str
    text: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    is_table: bool = False
    #: Reads well in the list of approvals.
    brief: bool = False


def shown_table(label: str, rows: Sequence[Mapping[str, str]]) -> ShownField:
    """A table from its rows; a column for every name that occurs."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[row.get(name, "") for name in columns] for row in rows]
    return ShownField(label, columns=columns, rows=cells, is_table=True)

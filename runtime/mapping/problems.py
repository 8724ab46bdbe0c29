"""What checks report: problems of a mapping document, failures of a filled form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Failure", "Problem"]


@dataclass(frozen=True)
class Problem:
    """Something in a mapping document that a person should repair (``error``) or know (``warning``)."""

    level: Literal["error", "warning"]
    #: JSON path in the document, e.g. ``flows.submit.steps[1].map.fields[2]``; or a file.
    where: str
    #: What is wrong, one sentence in Chinese and one in English.
    zh: str
    en: str


@dataclass(frozen=True)
class Failure:
    """One field of one filled form that could not be computed, or whose value does not fit its control."""

    #: The target as the mapping writes it (id or label); a table's column inside a table.
    to: str
    #: The table that the column belongs to, or empty for the header.
    table: str
    #: Row of the table, counted from 1, or None.
    row: int | None
    zh: str
    en: str

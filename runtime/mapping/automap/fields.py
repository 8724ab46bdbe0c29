"""What auto-map works on: fields of a source, controls of a form, and what it proposes."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.mapping.forms import ControlType

__all__ = ["Proposal", "Source", "Target"]


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Source:
    """A field that can be read.

    The dictionary is asked by ``entity``, ``group`` and ``name`` (Service Layer), then by ``table`` and ``column``
    where the field is a column of a statement; ``name`` is then the name under which the statement answers it.
    """

    name: str
    #: Detail collection; empty for the header.
    group: str = ""
    label: str = ""
    #: ``text integer decimal date time boolean enum object``; empty when nobody knows.
    type: str = ""
    entity: str = ""
    table: str = ""
    column: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Target:
    """A control that can be filled."""

    id: str
    label: str = ""
    type: ControlType = ControlType.TEXT
    required: bool = False
    #: Detail table, as the mapping names it; empty for the header.
    group: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A source for a target, and why; a person accepts it or not."""

    source: Source
    target: Target
    #: From 0 to 1.
    confidence: float
    #: Why, in one sentence each.
    zh: str
    en: str

"""What auto-map proposes for the links in hand, and what happens when a person accepts it. No Streamlit in here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.mapping.automap import Source, Target, as_document, propose
from runtime.mapping.forms import Control, ControlType
from studio.designer.fields import UNKNOWN_TYPE, Group, named_controls
from studio.designer.links import Board, Link, LinkRefused, Place, link, replace_all

__all__ = ["Suggestion", "accept", "open_suggestions", "suggest"]

#: Where a statement does not say what is read (``*``): B1's documents share the names of their fields and columns.
_ENTITY: Final = "Drafts"
_HEADER: Final = "ODRF"
_LINES: Final = "DRF1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A link that auto-map proposes."""

    target: Place
    source: Place
    #: From 0 to 1.
    confidence: float
    zh: str
    en: str


def suggest(
    entity: str, sources: Sequence[Group], controls: Sequence[Control], board: Board, *, selection: str = ""
) -> tuple[Suggestion, ...]:
    """Proposals for the controls that nothing fills yet, the surest first.

    A table whose rows come from a collection already gets fields of that one only. Header fields are never proposed for
    a table's column, nor detail fields for the header: how they would become one value is for a person to say.

    :param entity: entity set or table that is read; empty for a statement
    :param selection: the filter or statement that selects the rows; it tells of drafts what they will be
    """
    used = {item.source for item in board.links.values()}
    fields = (as_document(item, selection) for item in _sources(entity, sources) if _place(item) not in used)
    places = {target: place for place, target in _targets(controls) if place not in board.links}
    found = propose(fields, places, rows=board.rows)
    suggestions = [
        Suggestion(
            target=places[item.target],
            source=_place(item.source),
            confidence=item.confidence,
            zh=item.zh,
            en=item.en,
        )
        for item in found
    ]
    return tuple(sorted(suggestions, key=lambda item: (-item.confidence, item.target)))


def open_suggestions(suggestions: Iterable[Suggestion], board: Board) -> tuple[Suggestion, ...]:
    """Those that are still to be decided: a person may have drawn a link to the target, or from the source."""
    used = {item.source for item in board.links.values()}
    return tuple(item for item in suggestions if item.target not in board.links and item.source not in used)


def accept(board: Board, suggestions: Iterable[Suggestion]) -> tuple[Board, tuple[tuple[Place, str], ...]]:
    """The board with these links, as one step of the history, and (target, reason) of what was refused.

    A link that is there already stays as it is.
    """
    after, refused = board, []
    for item in suggestions:
        if item.target in after.links:
            continue
        try:
            after = link(after, Link(target=item.target, source=item.source))
        except LinkRefused as error:
            refused.append((item.target, error.reason))
    return replace_all(board, after.links, after.rows), tuple(refused)


def _sources(entity: str, groups: Sequence[Group]) -> Iterable[Source]:
    for group in groups:
        table = entity or (_LINES if group.name else _HEADER)
        for field in group.fields:
            if not field.missing:
                yield Source(
                    name=field.name,
                    group=group.name,
                    label=field.own_label,
                    type="" if field.type == UNKNOWN_TYPE else field.type,
                    entity=entity or ("" if field.table else _ENTITY),
                    table=field.table or table,
                    column=field.column,
                )


def _targets(controls: Sequence[Control]) -> Iterable[tuple[Place, Target]]:
    for name, control in named_controls(controls):
        if control.type is ControlType.TABLE:
            for column, child in named_controls(control.children):
                yield Place(name, column), _target(child, name)
        else:
            yield Place("", name), _target(control, "")


def _target(control: Control, table: str) -> Target:
    return Target(id=control.id, label=control.label, type=control.type, required=control.required, group=table)


def _place(source: Source) -> Place:
    return Place(source.group, source.name)

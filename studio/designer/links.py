"""Links between source fields and target controls, and every change that can be made to them: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from runtime.mapping.transforms import TRANSFORMS

__all__ = [
    "AGGREGATES",
    "Board",
    "Link",
    "LinkRefused",
    "Place",
    "aggregate_of",
    "differences",
    "link",
    "redo",
    "replace_all",
    "set_through",
    "set_value",
    "undo",
    "unlink",
]

#: How many values of a detail collection become one: the transforms that may stand first in such a link.
AGGREGATES: Final = tuple(name for name, transform in TRANSFORMS.items() if transform.aggregate)
_HISTORY: Final = 500


class Place(NamedTuple):
    """A source field or a target control. ``group``: its detail collection or table, empty for the header."""

    group: str
    name: str


class LinkRefused(Exception):
    """The change breaks a rule; ``args[0]`` is one of ``aggregate``, ``other_collection``, ``no_rows``."""

    @property
    def reason(self) -> str:
        """Which rule, as the last part of a text key."""
        return str(self.args[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What fills one target: a source field, or (without one) a constant or expression; then transforms."""

    target: Place
    source: Place | None = None
    #: Only without ``source``: a constant, or a text with ``{{ … }}``.
    value: Any = None
    through: tuple[Any, ...] = ()

    @property
    def each_row(self) -> bool:
        """A header field repeated in every row of a table."""
        return self.source is not None and not self.source.group and bool(self.target.group)

    @property
    def aggregated(self) -> bool:
        """Many rows become one value of the header."""
        return self.source is not None and bool(self.source.group) and not self.target.group


def aggregate_of(spec: Any) -> str:
    """The name of an aggregate transform, or an empty text."""
    name = next(iter(spec), "") if isinstance(spec, dict) else spec
    return name if name in AGGREGATES else ""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    #: At most one link per target, in the order of their making.
    links: Mapping[Place, Link]
    #: Table → the collection that its rows come from.
    rows: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """All links of one ``map`` step, with what can be undone and redone. Never changed in place."""

    links: Mapping[Place, Link] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)
    past: tuple[_Snapshot, ...] = ()
    future: tuple[_Snapshot, ...] = ()

    @property
    def structure(self) -> dict[Place, Place | None]:
        """Target → source: what the browser draws."""
        return {target: item.source for target, item in self.links.items()}


def link(board: Board, new: Link) -> Board:
    """Put a link on its target; one that was there is replaced.

    :raises LinkRefused: ``aggregate``: a detail field in the header needs one; ``other_collection``: the table's rows
        come from another collection; ``no_rows``: nothing says yet where the table's rows come from
    """
    rows = dict(board.rows)
    source, table = new.source, new.target.group
    if new.aggregated and not (new.through and aggregate_of(new.through[0])):
        raise LinkRefused("aggregate")
    if table and source is not None and source.group:
        if rows.setdefault(table, source.group) != source.group:
            others = [item for target, item in board.links.items() if target.group == table and target != new.target]
            if any(item.source is not None and item.source.group for item in others):
                raise LinkRefused("other_collection")
            rows[table] = source.group
    elif table and table not in rows:
        raise LinkRefused("no_rows")
    return _changed(board, {**board.links, new.target: new}, rows)


def unlink(board: Board, target: Place) -> Board:
    """Remove what fills a target, if anything does."""
    return _changed(board, {key: item for key, item in board.links.items() if key != target}, board.rows)


def set_value(board: Board, target: Place, value: Any) -> Board:
    """Fill a target with a constant or an expression; its transforms stay, except an aggregate.

    :raises LinkRefused: ``no_rows``
    """
    old = board.links.get(target)
    through = old.through if old else ()
    if old is not None and old.aggregated:
        through = through[1:]
    return link(board, Link(target=target, value=value, through=through))


def set_through(board: Board, target: Place, through: tuple[Any, ...]) -> Board:
    """Replace the transforms of a link.

    :raises LinkRefused: ``aggregate``
    :raises KeyError: nothing fills this target
    """
    return link(board, replace(board.links[target], through=through))


def replace_all(board: Board, links: Mapping[Place, Link], rows: Mapping[str, str]) -> Board:
    """All links at once (table view, auto-map), as one step of the history."""
    return _changed(board, dict(links), rows)


def undo(board: Board) -> Board:
    """One step back; the same board when there is none."""
    if not board.past:
        return board
    last = board.past[-1]
    now = _Snapshot(board.links, board.rows)
    return Board(links=last.links, rows=last.rows, past=board.past[:-1], future=(*board.future, now))


def redo(board: Board) -> Board:
    """One step forward again; the same board when there is none."""
    if not board.future:
        return board
    following = board.future[-1]
    now = _Snapshot(board.links, board.rows)
    return Board(links=following.links, rows=following.rows, past=(*board.past, now), future=board.future[:-1])


def differences(board: Board, wanted: Mapping[Place, Place | None]) -> tuple[list[Place], list[Place]]:
    """Targets to unlink, and targets to link, so that the board gets the wanted structure."""
    have = board.structure
    gone = [target for target in have if target not in wanted]
    new = [target for target, source in wanted.items() if source is not None and have.get(target) != source]
    return gone, new


def _changed(board: Board, links: Mapping[Place, Link], rows: Mapping[str, str]) -> Board:
    used = {target.group for target in links if target.group}
    kept = {table: collection for table, collection in rows.items() if table in used}
    if links == board.links and kept == board.rows:
        return board
    past = (*board.past, _Snapshot(board.links, board.rows))[-_HISTORY:]
    return Board(links=links, rows=kept, past=past)

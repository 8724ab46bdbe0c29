"""The conversation between Python and the browser about one board.

Python owns the links. The browser sends its whole list, and it wins as long as it builds on Python's current *epoch*,
an opaque token that changes only when Python itself replaces links. Within an epoch the browser is always sent the
same base list, so nothing is drawn anew after a drag. What the browser did meanwhile is never lost: it repeats every
change newer than ``seen`` on top of a new epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from studio.designer.links import Board, Link, LinkRefused, Place, differences, link, redo, undo, unlink

__all__ = ["BrowserState", "Desk", "absorb", "decode", "encode", "mounted", "rebased"]

_COMMANDS: Final = {"undo": undo, "redo": redo}
#: The transform that an answer to "how?" stands for.
_HOW: Final = frozenset({"first", "sum", "count", "join"})


@dataclass(frozen=True, kw_only=True, slots=True)
class BrowserState:
    """What the browser sent: all its links, and the commands to carry out after them.

    It sends nothing newer until the commands are answered, so an edit that follows an undo is not undone by it.
    """

    doc: str
    epoch: str
    #: Rises with every change made in the browser.
    seq: int
    #: Target → source (None for a constant or expression), and the answer to "how?".
    links: Mapping[Place, tuple[Place | None, str]]
    #: (number, ``undo`` or ``redo``)
    commands: tuple[tuple[int, str], ...] = ()
    #: The target of the last change, which the person has in hand now.
    selected: Place | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """A board and where the conversation about it stands."""

    doc: str
    board: Board
    epoch: str
    #: The links as they were when the epoch began.
    base: Mapping[Place, Place | None]
    #: The browser's last change that ``board`` holds …
    seq: int = 0
    #: … and the one that ``base`` holds.
    seen: int = 0
    #: Number of the last command carried out.
    handled: int = 0


def rebased(desk: Desk, board: Board, token: Callable[[], str]) -> Desk:
    """The desk after Python changed the board: a new epoch, unless what the browser draws stayed the same."""
    if board.structure == desk.board.structure:
        return replace(desk, board=board)
    return replace(desk, board=board, epoch=token(), base=board.structure, seen=desk.seq)


def mounted(desk: Desk, token: Callable[[], str]) -> Desk:
    """The desk for a browser that starts afresh: what is there now becomes the base of a new epoch."""
    return replace(desk, epoch=token(), base=desk.board.structure, seen=desk.seq)


def absorb(desk: Desk, state: BrowserState, token: Callable[[], str]) -> tuple[Desk, tuple[tuple[Place, str], ...]]:
    """Take over what the browser sent, if it builds on this epoch and is new.

    :return: the desk, and (target, reason) of the links that were refused; the browser is then set right by a new epoch
    """
    if (state.doc, state.epoch) != (desk.doc, desk.epoch) or state.seq <= desk.seq:
        return desk, ()
    board, refused = desk.board, []
    gone, new = differences(board, {target: source for target, (source, _) in state.links.items()})
    for target in gone:
        board = unlink(board, target)
    for target in new:
        source, how = state.links[target]
        through: tuple[Any, ...] = (how,) if how in _HOW else ()
        old = board.links.get(target)
        if old is not None and not through and not old.aggregated:
            through = old.through
        try:
            board = link(board, Link(target=target, source=source, through=through))
        except LinkRefused as error:
            refused.append((target, error.reason))
    after = replace(desk, board=board, seq=state.seq)
    for number, name in state.commands:
        if number > after.handled and name in _COMMANDS:
            board = _COMMANDS[name](board)
            after = replace(after, handled=number)
    structure = {target: source for target, (source, _) in state.links.items()}
    if board.structure != structure:
        after = replace(after, epoch=token(), base=board.structure, seen=state.seq)
    return replace(after, board=board), tuple(refused)


def encode(place: Place | None) -> list[str] | None:
    """A place as the browser knows it."""
    return list(place) if place else None


def decode(raw: Any) -> BrowserState | None:
    """What the browser sent, or None when it does not look like that."""
    try:
        links = {
            Place(*map(str, item["target"])): (
                Place(*map(str, item["source"])) if item.get("source") else None,
                str(item.get("how") or ""),
            )
            for item in raw["links"]
        }
        commands = tuple((int(item["n"]), str(item["name"])) for item in raw.get("commands", ()))
        return BrowserState(
            doc=str(raw["doc"]),
            epoch=str(raw["epoch"]),
            seq=int(raw["seq"]),
            links=links,
            commands=commands,
            selected=Place(*map(str, raw["selected"])) if raw.get("selected") else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None

"""The conversation with the browser loses no edit, whatever overtakes what."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from studio.designer.desk import BrowserState, Desk, absorb, decode, mounted, rebased
from studio.designer.links import Board, Link, Place, link, set_through, set_value

A, B, C = Place("", "a"), Place("", "b"), Place("", "c")
X, Y, Z = Place("", "x"), Place("", "y"), Place("", "z")


def tokens() -> Any:
    numbers = itertools.count(1)
    return lambda: f"epoch-{next(numbers)}"


def state(
    desk: Desk, seq: int, links: dict[Place, Place | None], commands: tuple[tuple[int, str], ...] = ()
) -> BrowserState:
    return BrowserState(
        doc=desk.doc,
        epoch=desk.epoch,
        seq=seq,
        links={target: (source, "") for target, source in links.items()},
        commands=commands,
    )


def test_the_browsers_list_wins_within_its_epoch_and_its_base_stays() -> None:
    desk = mounted(Desk(doc="d", board=Board(), epoch="", base={}), tokens())
    after, refused = absorb(desk, state(desk, 1, {X: A}), tokens())
    assert not refused
    assert after.board.structure == {X: A}
    assert (after.epoch, after.base, after.seen) == (desk.epoch, {}, 0)


def test_another_epoch_an_old_state_and_another_document_are_refused() -> None:
    desk = Desk(doc="d", board=Board(), epoch="e", base={}, seq=5)
    for foreign in (
        BrowserState(doc="d", epoch="other", seq=9, links={X: (A, "")}),
        BrowserState(doc="other", epoch="e", seq=9, links={X: (A, "")}),
        BrowserState(doc="d", epoch="e", seq=5, links={X: (A, "")}),
    ):
        assert absorb(desk, foreign, tokens()) == (desk, ())


def test_undo_makes_a_new_epoch_that_says_what_it_has_seen() -> None:
    desk = Desk(doc="d", board=Board(), epoch="e", base={})
    desk, _ = absorb(desk, state(desk, 2, {X: A, Y: B}), tokens())
    desk, _ = absorb(desk, state(desk, 3, {X: A, Y: B}, ((1, "undo"),)), tokens())
    assert desk.board.structure == {X: A}
    assert (desk.epoch, desk.base, desk.seen, desk.handled) == ("epoch-1", {X: A}, 3, 1)


def test_a_repeated_command_is_carried_out_once() -> None:
    desk = Desk(doc="d", board=Board(), epoch="e", base={})
    desk, _ = absorb(desk, state(desk, 3, {X: A, Y: B, Z: C}), tokens())
    desk, _ = absorb(desk, state(desk, 4, {X: A, Y: B, Z: C}, ((1, "undo"),)), tokens())
    desk, _ = absorb(desk, state(desk, 5, dict(desk.board.structure), ((1, "undo"),)), tokens())
    assert desk.board.structure == {X: A, Y: B}


def test_an_attribute_changed_in_python_survives_the_browsers_next_list() -> None:
    desk = Desk(doc="d", board=link(Board(), Link(target=X, source=A)), epoch="e", base={X: A})
    desk = rebased(desk, set_through(desk.board, X, ("trim",)), tokens())
    assert desk.epoch == "e"
    desk, _ = absorb(desk, state(desk, 1, {X: A, Y: B}), tokens())
    assert desk.board.links[X].through == ("trim",)


def test_a_constant_set_in_python_begins_an_epoch() -> None:
    desk = Desk(doc="d", board=link(Board(), Link(target=X, source=A)), epoch="e", base={X: A}, seq=4)
    desk = rebased(desk, set_value(desk.board, X, "计划请购"), tokens())
    assert (desk.epoch, desk.base, desk.seen) == ("epoch-1", {X: None}, 4)


def test_a_link_against_the_rules_is_refused_and_the_browser_set_right() -> None:
    desk = Desk(doc="d", board=Board(), epoch="e", base={})
    column = Place("物料表", "描述")
    after, refused = absorb(desk, state(desk, 1, {column: A, X: B}), tokens())
    assert refused == ((column, "no_rows"),)
    assert after.board.structure == {X: B}
    assert (after.epoch, after.base) == ("epoch-1", {X: B})


def test_the_answer_to_how_becomes_a_transform() -> None:
    desk = Desk(doc="d", board=Board(), epoch="e", base={})
    raw = {
        "doc": "d",
        "epoch": "e",
        "seq": 1,
        "links": [{"target": ["", "x"], "source": ["DocumentLines", "Quantity"], "how": "sum"}],
        "commands": [],
    }
    browser = decode(raw)
    assert browser is not None
    after, _ = absorb(desk, browser, tokens())
    assert after.board.links[X].through == ("sum",)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_anything_that_is_not_a_state_is_none(raw: Any) -> None:
    assert decode(raw) is None


class Browser:
    """What the component does, in a few lines: a log since the epoch began, repeated on every new epoch."""

    def __init__(self) -> None:
        self.log: list[tuple[int, Place, Place | None]] = []
        self.seq, self.epoch, self.base = 0, "", {}  # type: ignore[var-annotated]

    def receive(self, desk: Desk) -> None:
        if desk.epoch != self.epoch:
            self.epoch, self.base = desk.epoch, dict(desk.base)
            self.log = [entry for entry in self.log if entry[0] > desk.seen]

    def links(self) -> dict[Place, Place | None]:
        links = dict(self.base)
        for _, target, source in self.log:
            links.pop(target, None)
            if source is not None:
                links[target] = source
        return links

    def edit(self, target: Place, source: Place | None) -> None:
        self.seq += 1
        self.log.append((self.seq, target, source))

    def state(self, doc: str) -> BrowserState:
        seq = self.log[-1][0] if self.log else 0
        return BrowserState(doc=doc, epoch=self.epoch, seq=seq, links={t: (s, "") for t, s in self.links().items()})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["edit", "send", "deliver", "show", "python"]),
            st.sampled_from([X, Y, Z]),
            st.sampled_from([A, B, C, None]),
        ),
        max_size=40,
    )
)
def test_no_edit_of_the_browser_vanishes(steps: list[tuple[str, Place, Place | None]]) -> None:
    """Messages may be delayed, coalesced or lost, and Python may set constants at any time: the last edit of each
    target made in the browser stands, unless Python changed that very target after having seen it."""
    token = tokens()
    desk = mounted(Desk(doc="d", board=Board(), epoch="", base={}), token)
    browser = Browser()
    browser.receive(desk)
    wire: BrowserState | None = None
    expected: dict[Place, Place | None] = {}
    for action, target, source in steps:
        if action == "edit":
            browser.edit(target, source)
            expected[target] = source
        elif action == "send":
            wire = browser.state("d")
        elif action == "deliver" and wire is not None:
            desk, _ = absorb(desk, wire, token)
        elif action == "show":
            browser.receive(desk)
        elif action == "python":
            desk = rebased(desk, set_value(desk.board, Place("", "own"), source and source.name), token)
    for _ in range(2):
        browser.receive(desk)
        desk, refused = absorb(desk, browser.state("d"), token)
        assert not refused
    structure = desk.board.structure
    for target, source in expected.items():
        assert structure.get(target) == source

"""One mapping being designed: its document, the ``map`` step in hand, and its links. No Streamlit in here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.mapping.forms import Control
from studio.designer import document as doc
from studio.designer.desk import Desk, absorb, decode, mounted, rebased
from studio.designer.document import Json, MapSite, QuerySite
from studio.designer.links import Board, Place
from studio.designer.statements import Way, other_way
from studio.designer.suggestions import Suggestion

__all__ = ["Design", "token"]


def token() -> str:
    """A new opaque token."""
    return secrets.token_hex(8)


@dataclass(kw_only=True)
class Design:
    """What the designer holds in the session; the document is the truth, ``desk.board`` is its links with history."""

    document: Json
    #: The file's digest when it was read; None for a mapping that has no file yet.
    digest: str | None
    #: The document as the file has it; None without a file.
    saved: Json | None = None
    #: Which of the document's ``map`` steps is in hand.
    chosen: int = 0
    desk: Desk = field(default_factory=lambda: Desk(doc=token(), board=Board(), epoch="", base={}))
    #: Target whose link is being edited.
    selected: Place | None = None
    #: Links that the browser sent and that were refused: (target, reason).
    refused: tuple[tuple[Place, str], ...] = ()
    #: What auto-map proposes and nobody has refused; None when it was not asked.
    suggestions: tuple[Suggestion, ...] | None = None
    #: Real rows of the source, for samples and the live form.
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: What the query in hand said in the other way of reading, for a change of mind.
    aside: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._reread()

    @property
    def id(self) -> str:
        """The mapping's id."""
        return str(self.document["id"])

    @property
    def dirty(self) -> bool:
        """Whether there is something to save."""
        return self.document != self.saved

    @property
    def sites(self) -> list[MapSite]:
        """All ``map`` steps."""
        return doc.map_sites(self.document)

    @property
    def site(self) -> MapSite | None:
        """The ``map`` step in hand, or None when the document has none."""
        sites = self.sites
        return sites[min(self.chosen, len(sites) - 1)] if sites else None

    @property
    def query(self) -> QuerySite | None:
        """The query behind the step in hand."""
        return doc.query_of(self.document, self.site) if self.site else None

    @property
    def controls(self) -> tuple[Control, ...]:
        """The step's snapshot of its form."""
        return doc.controls_of(self.document, self.site) if self.site else ()

    def does_as(self, document: Json) -> bool:
        """Whether a document would do just the same, were it switched on."""
        return {**document, "enabled": None} == {**self.document, "enabled": None}

    def choose(self, number: int) -> None:
        """Take another ``map`` step in hand."""
        self.chosen, self.selected, self.suggestions, self.aside = number, None, None, {}
        self._reread()

    def change(self, board: Board) -> None:
        """Links changed in Python."""
        if self.site is not None and board is not self.desk.board:
            self.desk = rebased(self.desk, board, token)
            self.document = doc.with_board(self.document, self.site, board)

    def take(self, raw: Any) -> bool:
        """Links changed in the browser; whether anything came of it."""
        state = decode(raw)
        if state is None or self.site is None:
            return False
        before = self.desk
        self.desk, refused = absorb(before, state, token)
        if self.desk is before:
            return False
        self.refused = refused
        self.selected = state.selected or self.selected
        if self.desk.board is not before.board:
            self.document = doc.with_board(self.document, self.site, self.desk.board)
        return True

    def mount(self) -> None:
        """The browser starts afresh."""
        self.desk = mounted(self.desk, token)

    def replace(self, document: Json) -> None:
        """The document changed otherwise; links keep their history unless they changed with it."""
        self.document = document
        self._reread()

    def set_query(self, changes: Mapping[str, Any]) -> None:
        """Change parameters of the query in hand."""
        if self.query is not None:
            self._requery(doc.with_query(self.document, self.query, changes))

    def set_param(self, path: Sequence[str | int], value: Any) -> None:
        """Change what stands at a place within the parameters of the query in hand; ``None`` removes it."""
        if self.query is not None:
            self._requery(doc.with_param(self.document, self.query, path, value))

    def read_by(self, way: Way) -> None:
        """Have the query in hand read its rows in the other way."""
        if self.query is not None:
            path = (*self.query.path, "with")
            params, self.aside = other_way(
                doc.value_at(self.document, self.query.path).get("with", {}), way, self.aside
            )
            self._requery(doc.with_value(self.document, path, params))

    def _requery(self, document: Json) -> None:
        """Another query: its rows and what was proposed for them are of no use any more."""
        if document != self.document:
            self.suggestions, self.rows = None, []
            self.replace(document)

    def set_form(self, code: str, controls: Sequence[Control], title: str = "") -> None:
        """Fill this form, and keep its snapshot."""
        if self.site is not None:
            self.suggestions = None
            document = doc.with_form_code(self.document, self.site, code)
            self.replace(doc.with_controls(document, self.site, controls, title))

    def _reread(self) -> None:
        board = doc.read_board(self.document, self.site) if self.site else Board()
        if (board.links, board.rows) != (self.desk.board.links, self.desk.board.rows) or not self.desk.epoch:
            self.desk = mounted(rebased(self.desk, board, token), token)

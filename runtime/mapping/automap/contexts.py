"""What goes without saying about a field, by the place where it stands in B1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from runtime.mapping.automap.lexicon import lexicon, lines
from runtime.mapping.dictionary import place_of

__all__ = ["NOWHERE", "Context", "context_of"]


@dataclass(frozen=True, slots=True)
class Context:
    """Words that a name may carry here or not; each stands for its class."""

    #: Its own documents and business: on a purchase order 采购 and 订单.
    business: frozenset[str] = frozenset()
    #: Whom it is about: the supplier of a purchase order, the item of a line.
    subjects: frozenset[str] = frozenset()
    #: Whether a bare 编号 is the subject's: in a line, or where the record is the subject itself.
    itself: bool = False


NOWHERE = Context()


def context_of(entity: str, table: str, group: str) -> Context:
    """The context of a field of an entity set, or of a table of the database, or of a detail collection of either."""
    known = _contexts()
    set_of_table, group_of_table = place_of(table)
    header = known.get(entity) or known.get(place_of(entity)[0]) or known.get(set_of_table) or NOWHERE
    if not group:
        return header
    row = known.get(group) or known.get(group_of_table) or NOWHERE
    return Context(header.business, row.subjects, itself=True)


@cache
def _contexts() -> dict[str, Context]:
    found: dict[str, Context] = {}
    stands_for = lexicon().stands_for
    for line in lines("contexts.txt"):
        names, *words = line.split("|")
        business, subjects = (frozenset(stands_for.get(word, word) for word in cell.split()) for cell in words)
        context = Context(business, subjects, itself=not business)
        found.update(dict.fromkeys(names.split(), context))
    return found

"""All names by which a source can be found: its own, its label, and those of the dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from runtime.mapping.automap.contexts import Context, context_of
from runtime.mapping.automap.fields import Source
from runtime.mapping.automap.lexicon import is_latin, normal
from runtime.mapping.automap.words import Meaning, meaning
from runtime.mapping.dictionary import find_column, find_property

__all__ = ["Name", "names_of"]

#: Confidence that two same names of each kind are the same field.
_NAME: Final = 1.0
_LABEL: Final = 0.98
_DICTIONARY: Final = 0.95
#: What it costs when the name is not a field's usual one, by its place in the dictionary.
_RANK: Final = 0.01
_RANKS: Final = 4
#: Place in the dictionary at which a field is little used.
_RARELY: Final = 60
#: User fields are in a list of their own; in letters that may stand for either, B1's own fields come first.
_USER_FIELD: Final = 0.33


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """One name of a source; ``cost`` is 0 for the usual one."""

    source: Source
    #: In normal form.
    text: str
    shown: str
    base: float
    cost: float
    #: From 0 for a field that is used much to 1.
    rare: float
    #: ``name``, ``label`` or ``dictionary``
    way: str
    context: Context
    meaning: Meaning
    #: The endings that the source's names have: what it holds is a 代码, a 名称, or nobody says.
    endings: frozenset[str]

    @property
    def latin(self) -> bool:
        """Whether it is spelled in Latin letters."""
        return is_latin(self.text)

    @property
    def given(self) -> bool:
        """Whether it is the field's own name, rather than what someone calls it."""
        return self.way == "name"


@lru_cache(maxsize=4096)
def names_of(source: Source) -> tuple[Name, ...]:
    """The names, the field's own first."""
    entry = find_property(source.entity, source.group, source.name)
    if entry is None:
        entry = find_column(source.table, source.column or source.name)
    short = source.name[2:] if source.name[:2].upper() == "U_" else ""
    named = [(source.name, _NAME, 0.0, "name"), (short, _LABEL, 0.0, "name"), (source.label, _LABEL, 0.0, "label")]
    if entry is not None:
        named += [
            (known, _DICTIONARY, _RANK * min(rank, _RANKS), "dictionary") for rank, known in enumerate(entry.names)
        ]
        named += [(latin, _DICTIONARY, 0.0, "dictionary") for latin in (entry.property, entry.column)]
    rare = min(entry.rank / _RARELY, 1.0) if entry is not None else 0.0
    if entry is not None and entry.property.startswith("U_"):
        rare = max(rare, _USER_FIELD)
    context = context_of(source.entity, source.table, source.group)
    found = [(normal(shown), shown, base, cost, way) for shown, base, cost, way in named if normal(shown)]
    meanings = [meaning(text, context) for text, *_ in found]
    endings = frozenset(item.ending for item in meanings if item.ending)
    return tuple(
        Name(source, text, shown, base, cost, rare, way, context, means, endings)
        for (text, shown, base, cost, way), means in zip(found, meanings, strict=True)
    )

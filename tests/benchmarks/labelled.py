"""The labelled sets for auto-map: forms, what is right on them, and which of it the dictionary covers.

Their files, and whose names they hold, are described in ``data/automap/README.md``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from runtime.mapping.automap import Source, Target
from runtime.mapping.automap.pinyin import initials, spelled, syllables
from runtime.mapping.dictionary import field_names, known_fields
from runtime.mapping.forms import ControlType

__all__ = ["PARTS", "Form", "entity_sources", "forms"]

PARTS: Final = ("development", "held-out", "found", "sealed-before", "sealed")
_FOLDER: Final = Path(__file__).parent / "data" / "automap"
_ASIDE: Final = re.compile(r"[(（\[【].*?[)）\]】]")
_COLLECTIONS: Final = (
    "",
    "DocumentLines",
    "StockTransferLines",
    "BatchNumbers",
    "SerialNumbers",
    "BPAddresses",
    "ContactEmployees",
    "BPBankAccounts",
    "ProductionOrderLines",
    "ProductTreeLines",
    "SpecialPriceDataAreas",
    "SpecialPriceQuantityAreas",
    "ItemPrices",
    "ItemWarehouseInfoCollection",
)


@dataclass(frozen=True)
class Form:
    """One form of a labelled set."""

    part: str
    entity: str
    title: str
    #: Control → (collection, fields that are right); no fields: nothing is right
    answers: dict[Target, tuple[str, frozenset[str]]] = field(default_factory=dict)

    @property
    def latin(self) -> bool:
        """Whether the controls are columns named in Latin letters."""
        return all(target.label.isascii() for target in self.answers if not target.group)

    def covered(self, target: Target) -> bool:
        """Whether the dictionary covers what is right: the label ends in a Chinese name of a right field.

        The head of a Chinese noun comes last, so 申购数量 is covered by 数量, and 供货渠道 by nothing. A name is one of
        the dictionary, or a synonym of it. A column must be such a name in pinyin, by its initials or in full. Whether
        auto-map gets it right plays no part.
        """
        group, right = self.answers[target]
        names = [name for prop in right for known in field_names(self.entity, group, prop) for name in _synonyms(known)]
        label = _plain(target.label)
        if label.isascii():
            return any(label == initials((name,)) or spelled(label, syllables(name)) for name in names)
        return any(label.endswith(name) for name in names)


def forms() -> Iterator[Form]:
    """All labelled sets."""
    for file in sorted(_FOLDER.glob("*.txt")):
        yield from _forms(file)


def entity_sources(entity: str) -> list[Source]:
    """All fields of an entity set that the dictionary knows."""
    return [
        Source(name=entry.property, group=group, type=entry.type, entity=entity)
        for group in _COLLECTIONS
        for entry in known_fields(entity, group)
    ]


def _forms(file: Path) -> Iterator[Form]:
    form: Form | None = None
    table, group = "", ""
    for line in file.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.removeprefix("=").removeprefix("+").split("|")]
        if line.startswith("="):
            if form is not None:
                yield form
            part, entity, title = cells
            form, table, group = Form(part, entity, title), "", ""
        elif line.startswith("+"):
            table, group = cells
        elif form is not None:
            label, kind, right = cells
            target = Target(id=label, label=label, type=ControlType(kind), group=table)
            form.answers[target] = (group, frozenset(right.split(", ")) if right != "-" else frozenset())
    if form is not None:
        yield form


def _plain(text: str) -> str:
    folded = _ASIDE.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return "".join(char for char in folded if char.isalnum())


@cache
def _synonyms(name: str) -> frozenset[str]:
    plain = _plain(name)
    lines = files("runtime.mapping.automap").joinpath("data", "synonyms.txt").read_text("utf-8").splitlines()
    classes = [set(map(_plain, line.replace("|", " ").split())) for line in lines if line and not line.startswith("#")]
    return frozenset({plain}.union(*(words for words in classes if plain in words)))

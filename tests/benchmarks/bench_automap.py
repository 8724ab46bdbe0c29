"""Auto-map against the labelled set: how often the right field is proposed, and how often a wrong one.

For each form the sources are *all* fields of its entity set that the dictionary knows, so that every control has some
two hundred fields to go astray to. *top 1*: the proposal is right, out of the controls that have a right answer;
*top 3*: the right field is among the three likeliest; *wrong*: proposals that are not right, out of all proposals.
The parts are explained at the head of the labelled set.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runtime.mapping.automap import Proposal, Source, Target, propose, ranked
from runtime.mapping.dictionary import known_fields
from runtime.mapping.forms import ControlType

__all__ = ["Form", "Score", "entity_sources", "forms", "judge", "main"]

_LABELS: Final = Path(__file__).parent / "data" / "automap_labels.txt"
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
    """One form of the labelled set."""

    part: str
    entity: str
    title: str
    #: Control → (collection, fields that are right); no fields: nothing is right
    answers: dict[Target, tuple[str, frozenset[str]]] = field(default_factory=dict)

    @property
    def latin(self) -> bool:
        """Whether the controls are columns named in Latin letters."""
        return all(target.label.isascii() for target in self.answers if not target.group)


@dataclass
class Score:
    """Counts over some forms."""

    answers: int = 0
    top1: int = 0
    top3: int = 0
    proposals: int = 0
    wrong: int = 0
    misses: list[str] = field(default_factory=list)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of right answers first, among the first three, and wrong among the proposals; from 0 to 1."""
        return self.top1 / self.answers, self.top3 / self.answers, self.wrong / self.proposals


def forms() -> Iterator[Form]:
    """The labelled set."""
    form: Form | None = None
    table, group = "", ""
    for line in _LABELS.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.removeprefix("=").removeprefix("+").split("|")]
        if line.startswith("="):
            if form is not None:
                yield form
            form, table, group = Form(*cells), "", ""
        elif line.startswith("+"):
            table, group = cells
        elif form is not None:
            label, kind, right = cells
            target = Target(id=label, label=label, type=ControlType(kind), group=table)
            form.answers[target] = (group, frozenset(right.split(", ")) if right != "-" else frozenset())
    if form is not None:
        yield form


def entity_sources(entity: str) -> list[Source]:
    """All fields of an entity set that the dictionary knows."""
    return [
        Source(name=entry.property, group=group, type=entry.type, entity=entity)
        for group in _COLLECTIONS
        for entry in known_fields(entity, group)
    ]


def judge(some: Iterable[Form]) -> Score:
    """Auto-map these forms and count."""
    score = Score()
    for form in some:
        sources = entity_sources(form.entity)
        proposed = {item.target: item for item in propose(sources, form.answers)}
        likeliest = ranked(sources, form.answers)
        for target, (group, right) in form.answers.items():
            proposal = proposed.get(target)
            hit = proposal is not None and _right(proposal, group, right)
            score.answers += bool(right)
            score.proposals += proposal is not None
            score.wrong += proposal is not None and not hit
            score.top1 += hit
            score.top3 += any(_right(item, group, right) for item in likeliest.get(target, ())[:3])
            if not hit and (right or proposal is not None):
                said = f"{proposal.source.name}, {proposal.en}" if proposal else "nothing"
                score.misses.append(f"{form.title} {target.label}: {said}; right: {', '.join(sorted(right))}")
    return score


def _right(item: Proposal, group: str, right: frozenset[str]) -> bool:
    return item.source.group == group and item.source.name in right


def _many(size: int) -> tuple[list[Source], list[Target]]:
    """As many fields and controls, with names as different as real ones."""
    entries = [entry for entity in ("Orders", "Items", "BusinessPartners") for entry in known_fields(entity, "")]
    named = [(f"{entry.property}{number}", entry) for number in range(3) for entry in entries][:size]
    sources = [Source(name=name, label=f"{entry.names[0]}{name[-1]}", type=entry.type) for name, entry in named]
    targets = [
        Target(id=f"c{number}", label=f"{entry.names[-1]}{name[-1]}") for number, (name, entry) in enumerate(named)
    ]
    return sources, targets


def main() -> None:
    """Print the accuracy of each part of the set, and the time for 300 fields and 300 controls."""
    everything = list(forms())
    print("auto-map: share of controls with the right field   n  top 1  top 3  wrong of all proposals")
    for part in ("development", "held-out", "found", "sealed"):
        for latin, name in ((False, "labels"), (True, "pinyin columns")):
            score = judge(form for form in everything if form.part == part and form.latin is latin)
            top1, top3, wrong = score.shares
            print(f"  {part + ', ' + name:<45} {score.answers:>4} {top1:>6.1%} {top3:>6.1%} {wrong:>6.1%}")
    sources, targets = _many(300)
    propose(sources, targets)
    started = time.perf_counter()
    found = len(propose(sources, targets))
    print(f"  300 fields, 300 controls: {time.perf_counter() - started:.2f} s, {found} proposals")


if __name__ == "__main__":
    main()

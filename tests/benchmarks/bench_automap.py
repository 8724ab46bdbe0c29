"""Auto-map against the labelled sets: how often the right field is proposed, and how often a wrong one.

For each form the sources are *all* fields of its entity set that the dictionary knows, so that every control has some
two hundred fields to go astray to. *top 1*: the proposal is right, out of the controls that have a right answer;
*top 3*: the right field is among the three likeliest; *wrong*: proposals that are not right, out of all proposals.

Every set is counted twice: over the controls that the dictionary covers (:meth:`Form.covered`: a rule about the names
alone), and over all, those included that have no counterpart in B1 and must get no proposal. The difference is what
people write that no name of the dictionary says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from runtime.mapping.automap import Proposal, Source, Target, propose, ranked
from runtime.mapping.dictionary import known_fields
from tests.benchmarks.labelled import PARTS, Form, entity_sources, forms

__all__ = ["Score", "judge", "main"]


@dataclass
class Score:
    """Counts over some forms."""

    controls: int = 0
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


def judge(some: Iterable[Form], *, only: Callable[[Form, Target], bool] = lambda _form, _target: True) -> Score:
    """Auto-map these forms and count over the controls that ``only`` lets through."""
    score = Score()
    for form in some:
        sources = entity_sources(form.entity)
        proposed = {item.target: item for item in propose(sources, form.answers)}
        likeliest = ranked(sources, form.answers)
        for target, (group, right) in form.answers.items():
            if not only(form, target):
                continue
            proposal = proposed.get(target)
            hit = proposal is not None and _right(proposal, group, right)
            score.controls += 1
            score.answers += bool(right)
            score.proposals += proposal is not None
            score.wrong += proposal is not None and not hit
            score.top1 += hit
            score.top3 += any(_right(item, group, right) for item in likeliest.get(target, ())[:3])
            if not hit and (right or proposal is not None):
                said = f"{proposal.source.name}, {proposal.en}, {proposal.confidence}" if proposal else "nothing"
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
    """Print the accuracy on each set, and the time for forms of 150 and of 300 controls."""
    everything = list(forms())
    print("auto-map: share of controls with the right field      n  top 1  top 3  wrong of all proposals")
    for part in PARTS:
        for latin, name in ((False, "labels"), (True, "pinyin columns")):
            some = [form for form in everything if form.part == part and form.latin is latin]
            covered = judge(some, only=lambda form, target: form.covered(target))
            for score, which in ((covered, "dictionary covers"), (judge(some), "all")):
                top1, top3, wrong = score.shares
                said = f"{part}, {name}, {which}"
                print(f"  {said:<48} {score.controls:>4} {top1:>6.1%} {top3:>6.1%} {score.wrong:>4} = {wrong:>4.1%}")
    for size in (150, 300):
        sources, targets = _many(size)
        propose(sources, targets)
        started = time.perf_counter()
        found = len(propose(sources, targets))
        print(f"  {size} fields, {size} controls: {time.perf_counter() - started:.2f} s, {found} proposals")


if __name__ == "__main__":
    main()

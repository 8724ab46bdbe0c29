"""One group of sources against one group of targets: candidates, what makes them doubtful, and who gets whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from runtime.mapping.automap.agreement import agreement
from runtime.mapping.automap.evidence import Index
from runtime.mapping.automap.fields import Proposal, Source, Target
from runtime.mapping.automap.lexicon import normal
from runtime.mapping.dictionary import field_names

__all__ = ["THRESHOLD", "candidates", "match", "suits"]

#: Least confidence of a proposal: below it, silence helps more than a guess.
THRESHOLD: Final = 0.6
#: Candidates that are as good as the best one, within this …
_CLOSE: Final = 0.035
#: … make all of them doubtful, by their number.
_DOUBT: Final = {2: 0.85, 3: 0.7}
_HOPELESS: Final = 0.5
#: What it is worth, in columns, that a collection has the table's name.
_NAMED: Final = 1.0
#: How much of a table's columns a collection must fill, or how many of them.
_SHARE: Final = 0.25
_ENOUGH: Final = 2


def candidates(sources: Sequence[Source], targets: Sequence[Target]) -> dict[Target, tuple[Proposal, ...]]:
    """For each target all sources with any evidence, the likeliest first."""
    index = Index(sources)
    return {target: _candidates(index, target) for target in targets}


def match(sources: Sequence[Source], targets: Sequence[Target], threshold: float) -> list[Proposal]:
    """Proposals at or above a threshold, at most one for each source and each target.

    The surest pair is taken first. That keeps an exact name together even where a worse pair would raise the sum,
    which is what a person expects; so it is not the assignment with the greatest sum. A target whose best source went
    elsewhere takes another only if that is as good: what is left over is seldom what was meant.
    """
    found = candidates(sources, targets)
    offers = [
        item
        for options in found.values()
        for item in options
        if item.confidence >= threshold and item.confidence >= options[0].confidence - _CLOSE
    ]
    chosen: list[Proposal] = []
    used: set[Source] = set()
    filled: set[Target] = set()
    for item in sorted(offers, key=_order):
        if item.source not in used and item.target not in filled:
            chosen.append(item)
            used.add(item.source)
            filled.add(item.target)
    return chosen


def suits(sources: Sequence[Source], targets: Sequence[Target], table: str, threshold: float) -> float:
    """How well a collection suits a detail table: the sum of confidences, or 0 when too few columns would be filled."""
    found = match(sources, targets, threshold)
    if not found or len(found) < min(_SHARE * len(targets), _ENOUGH):
        return 0.0
    names = {normal(name) for name in (*field_names(sources[0].entity, "", sources[0].group), sources[0].group)}
    return sum(item.confidence for item in found) + (_NAMED if normal(table) in names else 0.0)


def _candidates(index: Index, target: Target) -> tuple[Proposal, ...]:
    fitting = [
        (factor * item.confidence, item)
        for item in index.evidence(target).values()
        if (factor := agreement(item.source.type, target.type)) and item.confidence > 0
    ]
    fitting.sort(key=lambda pair: (-pair[0], pair[1].source))
    close = sum(1 for confidence, _ in fitting if confidence >= fitting[0][0] - _CLOSE)
    doubt = _DOUBT.get(close, _HOPELESS) if close > 1 else 1.0
    most = 1.0
    found = []
    for place, (sure, item) in enumerate(fitting):
        confidence, zh, en = min(sure, most), item.zh, item.en
        if place < close and close > 1:
            confidence *= doubt
            zh, en = f"{zh}；另有 {close - 1} 个字段同样合适", f"{en}; {close - 1} more would do as well"
            most = confidence if place == close - 1 else most
        found.append(Proposal(source=item.source, target=target, confidence=round(confidence, 4), zh=zh, en=en))
    return tuple(found)


def _order(item: Proposal) -> tuple[float, Target, Source]:
    return (-item.confidence, item.target, item.source)

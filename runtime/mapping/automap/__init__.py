"""Auto-map: which field of a source belongs to which control of a form, with a reason and a confidence.

It proposes; a person accepts. Nothing depends on the order in which fields and controls are given, and nothing is
proposed twice: every source and every target has at most one partner. Header controls get header fields, and a detail
table gets the fields of one detail collection: the one whose fields suit its columns best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from runtime.mapping.automap.drafts import as_document
from runtime.mapping.automap.fields import Proposal, Source, Target
from runtime.mapping.automap.matching import THRESHOLD, candidates, match, suits

__all__ = ["THRESHOLD", "Proposal", "Source", "Target", "as_document", "propose", "ranked"]


#: What it is worth, in columns, that a collection is the one with the most fields: the lines rather than their batches.
_MAIN: Final = 1.0


def propose(
    sources: Iterable[Source],
    targets: Iterable[Target],
    *,
    rows: Mapping[str, str] | None = None,
    threshold: float = THRESHOLD,
) -> tuple[Proposal, ...]:
    """The proposals, in the order of the targets' tables and names.

    :param rows: detail table → collection, where that is decided already
    :param threshold: least confidence of a proposal
    """
    by_group, by_table = _grouped(sources), _grouped_targets(targets)
    pairs = _pairs(by_group, by_table, rows or {}, threshold)
    found = [item for table, group in pairs for item in match(by_group.get(group, ()), by_table[table], threshold)]
    return tuple(sorted(found, key=lambda item: (item.target, item.source)))


def ranked(
    sources: Iterable[Source], targets: Iterable[Target], *, rows: Mapping[str, str] | None = None
) -> dict[Target, tuple[Proposal, ...]]:
    """Everything that could fill each target, the likeliest first, whatever else it could fill."""
    by_group, by_table = _grouped(sources), _grouped_targets(targets)
    pairs = _pairs(by_group, by_table, rows or {}, 0.0)
    return {
        target: found
        for table, group in pairs
        for target, found in candidates(by_group.get(group, ()), by_table[table]).items()
    }


def _grouped(sources: Iterable[Source]) -> dict[str, tuple[Source, ...]]:
    groups: dict[str, set[Source]] = {}
    for source in sources:
        groups.setdefault(source.group, set()).add(source)
    return {group: tuple(sorted(members)) for group, members in sorted(groups.items())}


def _grouped_targets(targets: Iterable[Target]) -> dict[str, tuple[Target, ...]]:
    tables: dict[str, set[Target]] = {}
    for target in targets:
        tables.setdefault(target.group, set()).add(target)
    return {table: tuple(sorted(members)) for table, members in sorted(tables.items())}


def _pairs(
    by_group: Mapping[str, Sequence[Source]],
    by_table: Mapping[str, Sequence[Target]],
    rows: Mapping[str, str],
    threshold: float,
) -> list[tuple[str, str]]:
    """(table, collection) of everything that belongs together; the header is the pair of two empty names."""
    pairs = [("", "")] if "" in by_table else []
    decided = {table: group for table, group in rows.items() if table in by_table}
    pairs += decided.items()
    main = max(filter(None, by_group), key=lambda group: len(by_group[group]), default="")
    scores = [
        (suits(by_group[group], by_table[table], table, threshold), table, group)
        for table in by_table
        for group in by_group
        if table and group and table not in decided and group not in decided.values()
    ]
    for score, table, group in sorted(
        scores, key=lambda item: (-item[0] - _MAIN * (item[2] == main and item[0] > 0), item[1], item[2])
    ):
        taken = any(table == other or group == used for other, used in pairs)
        if score and not taken:
            pairs.append((table, group))
    return pairs

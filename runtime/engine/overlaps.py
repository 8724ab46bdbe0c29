"""Mappings that would send the same documents: each keeps its own ledger, so a document may get two approvals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, NamedTuple

from runtime.connectors.base import Connector
from runtime.connectors.settings import HttpSettings
from runtime.engine.pool import Lease
from runtime.engine.submissions import Submission, submissions
from runtime.errors import IntegrationError
from runtime.mapping.choosing import names_of
from runtime.mapping.demands import exclusive
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem

__all__ = ["Overlap", "check_overlaps", "collisions", "companies", "overlaps"]


class Overlap(NamedTuple):
    """Two mappings, the same one where two of its flows are meant, and what to tell of the first."""

    mapping: str
    other: str
    problem: Problem


async def check_overlaps(mappings: Iterable[Mapping], pool: Lease | None) -> list[Overlap]:
    """See :func:`overlaps`.

    :param pool: tells which connections lead to the same documents; without it each has its own
    """
    known = list(mappings)
    owners = await companies(known, pool) if pool is not None else {}
    # Many mappings take seconds, and other things go on meanwhile.
    return await asyncio.to_thread(overlaps, known, lambda name: owners.get(name, name))


async def companies(mappings: Iterable[Mapping], pool: Lease) -> dict[str, str]:
    """Names of the connections that mappings may use → whose documents each leads to."""
    names = {name for mapping in mappings for role in mapping.connections for name in names_of(mapping, role)}
    return {name: await _company(name, pool) for name in sorted(names)}


def overlaps(mappings: Iterable[Mapping], company: Callable[[str], str]) -> list[Overlap]:
    """The enabled mappings that would create approvals for the same documents; each pair is there both ways round.

    Filters that exclude each other keep documents apart, and so may conditions of steps that differ.

    :param company: name of a connection → whose documents it leads to
    """
    now = datetime.now(UTC)
    return collisions([one for mapping in mappings if mapping.enabled for one in submissions(mapping, company, now)])


def collisions(found: Sequence[Submission]) -> list[Overlap]:
    """See :func:`overlaps`, of what enabled mappings send."""
    pairs = [pair for pair in combinations(range(len(found)), 2) if _same(found[pair[0]], found[pair[1]])]
    both = sorted([*pairs, *((other, one) for one, other in pairs)])
    told = ((found[one], found[other]) for one, other in both)
    return list(dict.fromkeys(Overlap(one.mapping, other.mapping, _problem(one, other)) for one, other in told))


def _same(one: Submission, other: Submission) -> bool:
    """Whether a document may get an approval by both."""
    if not one.records & other.records or not (one.guards <= other.guards or other.guards <= one.guards):
        return False
    if one.demands is None or other.demands is None:
        return one.source == other.source
    return not exclusive(one.demands, other.demands)


def _problem(one: Submission, other: Submission) -> Problem:
    return Problem(
        "warning",
        f"flows.{one.flow}",
        f"映射“{one.mapping}”和“{other.mapping}”（流程 {other.flow}）都会为 {one.documents} 中同样的单据发起审批，"
        "一张单据可能有两个审批；请停用其中一个，或用筛选条件把单据分开",
        f"The mappings {one.mapping!r} and {other.mapping!r} (flow {other.flow}) both create approvals for the same "
        f"documents of {one.documents}, so a document may get two: switch one off, or keep the documents apart by "
        "filters",
    )


async def _company(name: str, pool: Lease) -> str:
    try:
        connector: Connector[Any] = await pool.get(name)
    except IntegrationError:
        return name  # reported by the check of the mapping itself
    settings = connector.settings
    if not isinstance(settings, HttpSettings) or not connector.identity:
        return name
    return f"{connector.kind} {settings.base_url} {connector.identity}"

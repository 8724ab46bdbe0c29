"""The static check of a mapping together with what its connections can do, and beside other mappings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runtime.connectors.actions import Action
from runtime.connectors.base import Connector
from runtime.engine.overlaps import check_overlaps
from runtime.engine.pool import Lease
from runtime.engine.releasing import check_releasing
from runtime.errors import BadMapping, IntegrationError
from runtime.mapping.check import ActionShape, check_mapping
from runtime.mapping.choosing import names_of
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem
from runtime.mapping.shared_verdicts import shared_verdicts

__all__ = ["check_together", "check_with_connections", "require_fit"]


async def check_with_connections(mapping: Mapping, pool: Lease | None) -> list[Problem]:
    """What is wrong with a mapping, and what may be.

    A connection that cannot be opened is one of the errors; what the mapping calls is not judged then. Nothing is sent.

    :param pool: None = nothing is known about the connections, and what is called is not judged
    """
    if pool is None:
        return [*check_mapping(mapping, None), *check_releasing(mapping)]
    shapes: dict[str, dict[str, ActionShape]] = {}
    problems: list[Problem] = []
    for role in mapping.connections:
        kinds: dict[str, str] = {}
        for name in names_of(mapping, role):
            try:
                connector: Connector[Any] = await pool.get(name)
            except IntegrationError as error:
                where = f"connections.{role} ({error.where or name})"
                problems.append(Problem("error", where, error.zh, error.en))
            else:
                kinds[connector.kind] = name
                problems += _silent(mapping, role, connector)
                shapes[role] = {action.name: _shape(action) for action in connector.actions.values()}
        if len(kinds) > 1:
            told = ", ".join(f"{name} = {kind}" for kind, name in kinds.items())
            problems.append(
                Problem(
                    "error",
                    f"connections.{role}.among",
                    f"供选择的连接必须是同一种（{told}）",
                    f"The connections to choose from must be of one kind ({told})",
                )
            )
    unusable = any(problem.level == "error" for problem in problems)
    return [*problems, *check_mapping(mapping, None if unusable else shapes), *check_releasing(mapping)]


async def check_together(mappings: Iterable[Mapping], pool: Lease | None) -> list[tuple[str, Problem]]:
    """What mappings may do to each other: the id of one, and a warning that names the others.

    :param pool: tells which connections lead to the same documents; without it each has its own
    """
    known = list(mappings)
    overlaps = await check_overlaps(known, pool)
    return [*((one.mapping, one.problem) for one in overlaps), *shared_verdicts(known)]


async def require_fit(mapping: Mapping, pool: Lease) -> None:
    """Refuse a mapping with errors before its first step: a late step's typing error must not follow an effect.

    :raises BadMapping: names the errors
    """
    errors = [problem for problem in await check_with_connections(mapping, pool) if problem.level == "error"]
    if errors:
        first, more = errors[0], len(errors) - 1
        raise BadMapping(
            first.zh + (f"（另有 {more} 个错误，见 b1-runtime check）" if more else ""),
            first.en + (f" ({more} more errors: see b1-runtime check)" if more else ""),
            where=f"{mapping.id}.{first.where}",
        )


def _silent(mapping: Mapping, role: str, connector: Connector[Any]) -> Iterator[Problem]:
    """Flows that wait for what this connection never reports: it sends no events, and its settings keep it from being
    asked."""
    if connector.has_callback or connector.tells_outcomes:
        return
    for name, flow in mapping.flows.items():
        if flow.trigger.event is not None and flow.trigger.event.connection == role:
            yield Problem(
                "warning",
                f"flows.{name}.trigger.event",
                f"连接 {connector.name} 没有回调，也没有说明如何得知审批结论（outcome_source），此流程不会执行",
                f"Connection {connector.name} sends no events, and nothing tells how an approval ended "
                "(outcome_source): this flow is never carried out",
            )


def _shape(action: Action) -> ActionShape:
    fields = action.params.model_fields
    return ActionShape(
        parameters=frozenset(fields),
        required=frozenset(name for name, field in fields.items() if field.is_required()),
        effect=action.effect.value,
        examine=action.examine,
    )

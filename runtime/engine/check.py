"""The static check of a mapping together with what its connections can do."""

from __future__ import annotations

from typing import Any

from runtime.connectors.base import Action, Connector
from runtime.engine.pool import ConnectorPool
from runtime.errors import IntegrationError
from runtime.mapping.check import ActionShape, check_mapping
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem

__all__ = ["check_with_connections"]


async def check_with_connections(mapping: Mapping, pool: ConnectorPool) -> list[Problem]:
    """What is wrong with a mapping, and what may be.

    A connection that cannot be opened is one of the errors; what the mapping calls is not judged then. Nothing is sent.
    """
    shapes: dict[str, dict[str, ActionShape]] = {}
    problems: list[Problem] = []
    for role, name in mapping.connections.items():
        try:
            connector: Connector[Any] = await pool.get(name)
        except IntegrationError as error:
            where = f"connections.{role} ({error.where or name})"
            problems.append(Problem("error", where, error.zh, error.en))
        else:
            shapes[role] = {action.name: _shape(action) for action in connector.actions.values()}
    return [*problems, *check_mapping(mapping, None if problems else shapes)]


def _shape(action: Action) -> ActionShape:
    fields = action.params.model_fields
    return ActionShape(
        parameters=frozenset(fields),
        required=frozenset(name for name, field in fields.items() if field.is_required()),
        effect=action.effect.value,
    )

"""The static check, with what the connections of this workspace can do."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any

from runtime.connectors.base import Connector
from runtime.errors import IntegrationError
from runtime.mapping.check import ActionShape, Problem, check_mapping
from runtime.mapping.models import Mapping
from studio.workspace import workspace

__all__ = ["problems_of"]


def problems_of(mapping: Mapping) -> list[Problem]:
    """What is wrong with a mapping, and what may be; a connection that does not exist is one of the errors."""
    shapes: dict[str, Dict[str, ActionShape]] = {}
    problems: list[Problem] = []
    for role, name in mapping.connections.items():
        try:
            connector = _connector(name)
        except IntegrationError as error:
            problems.append(Problem(level="error", where=f"connections.{role}", zh=error.zh, en=error.en))
        else:
            shapes[role] = {action: _shape(connector, action) for action in connector.actions}
    return problems + check_mapping(mapping, shapes)


def _connector(name: str) -> Connector[Any]:
    space = workspace()
    return space.bridge.run(space.pool.get(name))


def _shape(connector: Connector[Any], action: str) -> ActionShape:
    definition = connector.actions[action]
    fields = definition.params.model_fields
    return ActionShape(
        parameters=frozenset(fields),
        required=frozenset(name for name, field in fields.items() if field.is_required()),
        effect=definition.effect.value,
    )

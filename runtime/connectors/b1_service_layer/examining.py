"""What is wrong with a mapping's ``query``, before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.connectors.statements.dialects import DIALECTS
from runtime.connectors.statements.examining import examine_query
from runtime.mapping.problems import Problem

__all__ = ["examine"]


def examine(values: Mapping[str, Any]) -> list[Problem]:
    """Neither or both of ``entity`` and ``statement``, or a statement that will be refused."""
    if ("entity" in values) == ("statement" in values):
        zh, en = "entity（OData）与 statement（SQL）必须且只能给一个", "Give either entity (OData) or statement (SQL)"
        return [Problem("error", "entity", zh, en)]
    return examine_query(values, DIALECTS["service_layer"]) if "statement" in values else []

"""What is wrong with a mapping's ``query`` or ``exec_sql``, before it runs. Only a statement loads the SQL parser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.mapping.problems import Problem

__all__ = ["DIALECT", "examine_query", "examine_sql"]

#: Name of the dialect that SQLQueries speak.
DIALECT = "service_layer"


def examine_query(values: Mapping[str, Any]) -> list[Problem]:
    """Neither or both of ``entity`` and ``statement``, or a statement that will be refused."""
    if ("entity" in values) == ("statement" in values):
        zh, en = "entity（OData）与 statement（SQL）必须且只能给一个", "Give either entity (OData) or statement (SQL)"
        return [Problem("error", "entity", zh, en)]
    if "entity" in values:
        return []
    from runtime.connectors.statements import dialects, examining

    return examining.examine_query(values, dialects.DIALECTS[DIALECT])


def examine_sql(values: Mapping[str, Any]) -> list[Problem]:
    """A statement that will be refused."""
    from runtime.connectors.statements import dialects, examining

    return examining.examine_call(values, dialects.DIALECTS[DIALECT], ())

"""Statements that cannot show that a withdrawn document was released, so that it would never be sent again."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.errors import IntegrationError
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import CallStep, Mapping
from runtime.mapping.parts import parts
from runtime.mapping.problems import Problem

__all__ = ["check_releasing"]


def check_releasing(mapping: Mapping) -> Iterator[Problem]:
    """Warn of header statements without the mark that the mapping takes back after a withdrawal.

    What the mark held before the delivery has to be known: the templates' settings ``mark`` and ``withdrawn``.
    """
    mark = mapping.settings.get("mark")
    if mapping.settings.get("withdrawn") != "release" or not isinstance(mark, str) or not mark:
        return
    for name, flow in mapping.flows.items():
        for step in parts(flow.steps):
            if isinstance(step, CallStep) and "statement" in step.with_ and not _shows(mapping, step, mark):
                yield Problem(
                    "warning",
                    f"flows.{name} {step.id or step.call}",
                    f"表头语句没有查询同步标记 {mark}：撤销后放回的单据不会再次送审；请把它写进 SELECT",
                    f"The header statement does not select the mark {mark}: a document that was released after a "
                    "withdrawal is never sent again; select it too",
                )


def _shows(mapping: Mapping, step: CallStep, mark: str) -> bool:
    """Whether the rows hold the field, or may."""
    from runtime.connectors.statements.demands import read_statement
    from runtime.connectors.statements.fields import field_list

    try:
        text = compile_value(step.with_["statement"])({"settings": mapping.settings})
        statement = read_statement(text) if isinstance(text, str) else None
        fields = field_list(statement) if statement is not None else None
    except IntegrationError:
        return True  # reported by the check of the statement itself
    return fields is None or fields.more or fields.find(mark) is not None

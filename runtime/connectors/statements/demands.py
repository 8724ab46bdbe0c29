"""What the header statement of a query demands of single fields, under the names of the Service Layer; pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from sqlglot import exp

from runtime.connectors.statements.dialects import DIALECTS
from runtime.connectors.statements.fields import main_table
from runtime.connectors.statements.parsing import Statement, parse_statement
from runtime.errors import BadMapping
from runtime.mapping.demands import Constant, Demand, Demands, Operator, either
from runtime.mapping.dictionary import find_column

__all__ = ["read_statement", "statement_demands"]

_OPERATORS: Final[dict[type[exp.Expr], Operator]] = {
    exp.EQ: "in", exp.NEQ: "not in", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_TURNED: Final[dict[Operator, Operator]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def read_statement(text: str) -> Statement | None:
    """A statement of whatever dialect; None if it is readable in none."""
    for dialect in DIALECTS.values():
        try:
            return parse_statement(text, dialect)
        except BadMapping:
            continue
    return None


def statement_demands(statement: Statement, parameters: Mapping[str, Any]) -> Demands:
    """What has to hold of a row of the main table; what is not understood is left out.

    :param parameters: the values that are bound
    """
    tree = statement.tree
    if not isinstance(tree, exp.Select) or tree.args.get("where") is None:
        return ()
    source = tree.find(exp.From)
    if source is None or not isinstance(source.this, exp.Table) or source.this.name.upper() != main_table(statement):
        return ()
    return _Where(source.this, alone=not tree.args.get("joins"), parameters=parameters).demands(tree.args["where"].this)


class _Where:
    def __init__(self, table: exp.Table, *, alone: bool, parameters: Mapping[str, Any]) -> None:
        self._table = table
        self._names = {table.alias_or_name.casefold(), *([""] if alone else ())}
        self._parameters = parameters

    def demands(self, condition: exp.Expr) -> Demands:
        match condition:
            case exp.Paren():
                return self.demands(condition.this)
            case exp.And():
                return self.demands(condition.left) + self.demands(condition.right)
            case exp.Or():
                return either(self.demands(condition.left), self.demands(condition.right))
            case exp.In() if condition.expressions:
                return self._listed(condition.this, condition.expressions)
            case exp.Is() if isinstance(condition.expression, exp.Null):
                return self._listed(condition.this, [condition.expression])
        operator = _OPERATORS.get(type(condition))
        return self._compared(condition, operator) if operator is not None else ()

    def _compared(self, condition: exp.Expr, operator: Operator) -> Demands:
        left, right = condition.this, condition.args["expression"]
        if isinstance(right, exp.Column):
            left, right, operator = right, left, _TURNED.get(operator, operator)
        return self._listed(left, [right], operator)

    def _listed(self, field: exp.Expr, values: list[exp.Expr], operator: Operator = "in") -> Demands:
        name = self._field(field)
        constants = [self._constant(value) for value in values]
        if not name or any(isinstance(value, exp.Expr) for value in constants):
            return ()
        known = frozenset(value for value in constants if not isinstance(value, exp.Expr))
        return (Demand(name.casefold(), operator, known),)

    def _field(self, column: exp.Expr) -> str:
        """Its name in the Service Layer, as far as the dictionary knows it; empty for a column of another table."""
        if not isinstance(column, exp.Column) or column.table.casefold() not in self._names:
            return ""
        known = find_column(self._table.name, column.name)
        return known.property if known is not None else column.name

    def _constant(self, value: exp.Expr) -> Constant | exp.Expr:
        """The constant that it stands for; itself if that is not known."""
        match value:
            case exp.Null():
                return None
            case exp.Literal():
                return str(value.this) if value.is_string else Decimal(str(value.this))
            case exp.Neg() if isinstance(value.this, exp.Literal) and not value.this.is_string:
                return -Decimal(str(value.this.this))
            case exp.Placeholder():
                bound = self._parameters.get(value.name)
                if isinstance(bound, str) and "{{" not in bound:
                    return bound
                if isinstance(bound, int | Decimal) and not isinstance(bound, bool):
                    return Decimal(bound)
        return value

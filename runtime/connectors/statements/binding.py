"""Parameters of a statement: values that are bound, or, where a way knows no binding, literals made in the tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlglot import exp

from runtime.connectors.statements.dialects import SqlDialect, marker
from runtime.connectors.statements.parsing import Statement, render
from runtime.errors import ValueRefused

__all__ = ["OWN_PREFIX", "bind", "literal_text", "require_parameters", "values_for"]

#: Parameters that the product adds begin like this; a statement's own may not.
OWN_PREFIX = "b1_"
#: A parameter in SQLAlchemy's text, by its place.
_BOUND = "p{}"


def require_parameters(statements: Iterable[Statement], values: Mapping[str, Any]) -> None:
    """Check that the values are just those that the statements ask for.

    :raises ValueRefused: one is missing, unknown, or of a type that is no value
    """
    wanted = {name for statement in statements for name in statement.parameters}
    for name in sorted(wanted):
        if name.startswith(OWN_PREFIX):
            raise ValueRefused(
                f"参数名不能以 {OWN_PREFIX} 开头：{name}",
                f"The name of a parameter may not begin with {OWN_PREFIX}: {name}",
            )
        if name not in values:
            raise ValueRefused(f"没有给出语句的参数 {name}", f"The statement's parameter {name} is not given")
    for name, value in values.items():
        if name not in wanted:
            raise ValueRefused(f"语句里没有参数 {name}", f"The statement has no parameter {name}")
        if not isinstance(value, str | int | float | Decimal | date | time | None):
            raise ValueRefused(
                f"参数 {name} 应为文本、数字、日期、是否或空，而不是 {type(value).__name__}",
                f"The parameter {name} is a text, number, date, boolean or null, not {type(value).__name__}",
            )


def values_for(statement: Statement, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that this statement asks for."""
    return {name: values[name] for name in statement.parameters}


def bind(tree: exp.Expr, dialect: SqlDialect, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text for :func:`sqlalchemy.text`, and its parameters.

    :raises BadMapping: the dialect cannot say it
    """
    parts = render(tree, dialect).split(marker("")[0])
    bound: dict[str, Any] = {}
    text = []
    for number, part in enumerate(parts):
        if number % 2 == 0:  # between the markers: no colon of the statement is a parameter
            text.append(part.replace(":", "\\:"))
        else:
            name = _BOUND.format(number // 2)
            bound[name] = values[part]
            text.append(f":{name}")
    return "".join(text), bound


def literal_text(tree: exp.Expr, dialect: SqlDialect, values: Mapping[str, Any]) -> str:
    """The statement with each parameter replaced by a literal of its type, in the tree.

    :raises BadMapping: the dialect cannot say it
    :raises ValueRefused: a value has no literal
    """

    def replaced(node: exp.Expr) -> exp.Expr:
        return _literal(values[node.name], dialect) if isinstance(node, exp.Placeholder) else node

    return render(tree.copy().transform(replaced), dialect)


def _literal(value: Any, dialect: SqlDialect) -> exp.Expr:
    tsql = dialect.name == "tsql"
    if isinstance(value, bool):
        return exp.Literal.number(int(value)) if tsql else exp.Boolean(this=value)
    if isinstance(value, int | float | Decimal):
        return _number(Decimal(str(value)))
    if isinstance(value, str) and "\x00" not in value:
        return exp.National(this=value) if tsql and not value.isascii() else exp.Literal.string(value)
    if isinstance(value, datetime):
        return exp.Literal.string(value.isoformat(sep="T" if tsql else " ", timespec="seconds"))
    if isinstance(value, date | time):
        return exp.Literal.string(value.isoformat().replace("-", "") if tsql else value.isoformat())
    if value is None:
        return exp.Null()
    raise ValueRefused(
        f"{type(value).__name__} 类型的值不能写进语句",
        f"A value of type {type(value).__name__} cannot stand in a statement",
    )


def _number(value: Decimal) -> exp.Expr:
    if not value.is_finite():
        raise ValueRefused("数字无效", "The number is not finite", remote=str(value))
    plain = exp.Literal.number(format(abs(value), "f"))
    return exp.Neg(this=plain) if value < 0 else plain

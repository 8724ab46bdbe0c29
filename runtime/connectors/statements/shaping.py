"""The statements that are really sent: pages of headers, the lines of a page, one row again.

Wrapped as a subquery where the way understands that (:func:`page`, :func:`lines_of`, :func:`one`), else with one more
condition in the statement's own WHERE (:class:`Narrowed`).
"""

from __future__ import annotations

from typing import cast

from sqlglot import exp

from runtime.connectors.statements.binding import OWN_PREFIX
from runtime.connectors.statements.dialects import SqlDialect
from runtime.connectors.statements.fields import FieldList, StatementField, field_list, first_select
from runtime.connectors.statements.parsing import Statement
from runtime.errors import BadMapping

__all__ = [
    "AFTER",
    "COUNT",
    "ROW_LIMIT",
    "UNTIL",
    "in_key_order",
    "key_field",
    "key_parameter",
    "limited",
    "lines_of",
    "narrowed",
    "one",
    "page",
    "require_query",
    "too_many_rows",
    "with_filter_columns",
]

#: The key from which on rows are asked for, and up to which.
AFTER, UNTIL = f"{OWN_PREFIX}from", f"{OWN_PREFIX}until"
#: Column that tells how many rows an answer should have.
COUNT = f"{OWN_PREFIX}count"
#: An answer with more rows than this is refused: it is held in memory while headers and lines are joined.
ROW_LIMIT = 100_000
_OUTER = "b1_rows"


def key_parameter(number: int) -> str:
    """Name of the parameter for one key of a list."""
    return f"{OWN_PREFIX}key{number}"


def require_query(statement: Statement, place: str) -> FieldList:
    """The fields of a header or of lines; every column has a name.

    :raises BadMapping: it is a call, or a column has none
    """
    if statement.is_call:
        raise BadMapping(
            "存储过程不能作为表头或明细语句；请用 exec_sql 动作调用",
            "A procedure can be neither header nor lines: call it with the action exec_sql",
            where=place,
        )
    try:
        fields = field_list(statement)
    except BadMapping as error:
        error.where = error.where or place
        raise
    if fields.unnamed:
        number = fields.unnamed[0]
        raise BadMapping(
            f"语句的第 {number} 列没有名称，请加别名（… AS 名称）",
            f"Column {number} of the statement has no name: give it an alias (… AS name)",
            where=place,
        )
    return fields


def key_field(fields: FieldList, key: str, place: str) -> StatementField:
    """The column that yields the key.

    :raises BadMapping: the statement has no such column
    """
    found = fields.find(key)
    if found is not None:
        return found
    if fields.more:
        return StatementField(name=key, answer=key)
    names = ", ".join(fields.names)
    raise BadMapping(
        f"语句的结果里没有关键字列 {key}（有：{names}）",
        f"The statement yields no key column {key} (it yields: {names})",
        where=place,
    )


def page(header: Statement, key: StatementField, *, following: bool, limit: int) -> exp.Expr:
    """Rows in the order of the key, from the key :data:`AFTER` on if ``following``."""
    outer = _wrapped(header)
    if following:
        outer.set("where", exp.Where(this=exp.GTE(this=_column(key), expression=exp.Placeholder(this=AFTER))))
    outer.set("order", exp.Order(expressions=[_ordered(_column(key), header.dialect)]))
    return outer.limit(limit, copy=False)


def one(header: Statement, key: StatementField) -> exp.Expr:
    """The rows with the key :data:`AFTER`."""
    outer = _wrapped(header)
    outer.set("where", exp.Where(this=exp.EQ(this=_column(key), expression=exp.Placeholder(this=AFTER))))
    return outer.limit(2, copy=False)


def lines_of(
    lines: Statement, fields: FieldList, key: StatementField, count: int, place: str, *, counted: bool = False
) -> exp.Expr:
    """The lines of so many headers, whose keys are the parameters :func:`key_parameter`.

    :param counted: whether each row says, in :data:`COUNT`, how many there are
    """
    order = [_ordered(_column(key), lines.dialect), *_outer_order(lines, fields, key, place)]
    outer = _wrapped(lines)
    wanted = [exp.Placeholder(this=key_parameter(number)) for number in range(count)]
    outer.set("where", exp.Where(this=exp.In(this=_column(key), expressions=wanted)))
    outer.set("order", exp.Order(expressions=order))
    outer = outer.limit(ROW_LIMIT + 1, copy=False)
    if counted:
        everything = exp.Column(this=exp.Star(), table=exp.to_identifier(_OUTER))
        number = exp.Window(this=exp.Anonymous(this="COUNT", expressions=[exp.Star()]))
        outer.set("expressions", [everything, exp.alias_(number, COUNT, quoted=True)])
    return outer


def limited(statement: Statement) -> exp.Expr:
    """What is sent of a statement, at most one row beyond :data:`ROW_LIMIT`."""
    tree = statement.sent()
    if not isinstance(tree, exp.Query) or any(tree.args.get(part) for part in ("limit", "fetch", "offset")):
        return tree
    return tree.limit(ROW_LIMIT + 1, copy=True)


def too_many_rows(where: str) -> BadMapping:
    """The refusal of an answer that is too long."""
    return BadMapping(
        f"语句一次返回超过 {ROW_LIMIT} 行；请加上条件",
        f"The statement yields more than {ROW_LIMIT} rows at once: narrow it",
        where=where,
    )


def narrowed(
    statement: Statement, key: StatementField, comparisons: dict[type[exp.Binary], str], place: str
) -> exp.Select:
    """The statement with conditions on its key added to its own WHERE.

    :param comparisons: ``exp.GTE`` and so on → name of the parameter; none = the statement in the order of its key
    :raises BadMapping: a UNION, a grouped statement, or a key that is not a plain column
    """
    tree = statement.tree
    if not isinstance(tree, exp.Select) or any(
        tree.args.get(part) for part in ("group", "distinct", "limit", "having")
    ):
        raise BadMapping(
            "SQLQueries 无法逐页读取带 UNION、GROUP BY、DISTINCT 或 TOP 的语句；请改用 b1.di_api 或 sql 连接",
            "SQLQueries cannot page through a statement with UNION, GROUP BY, DISTINCT or TOP: use a connection of the "
            "kind b1.di_api or sql",
            where=place,
        )
    tree = tree.copy()
    column = next((one.unalias() for one in tree.expressions if one.alias_or_name == key.name), None)
    if not isinstance(column, exp.Column):
        raise BadMapping(
            f"关键字列 {key.name} 必须直接写出并且是表的一列",
            f"The key column {key.name} has to be named in the statement and be a column of a table",
            where=place,
        )
    for comparison, name in comparisons.items():
        tree.where(comparison(this=column.copy(), expression=exp.Placeholder(this=name)), copy=False)
    return tree


def in_key_order(tree: exp.Select, key: StatementField, *, keep: bool) -> exp.Select:
    """A narrowed statement in the order of its key.

    :param keep: the statement's own order comes behind the key
    """
    column = next(one.unalias() for one in tree.expressions if one.alias_or_name == key.name)
    own = tree.args.get("order")
    tree.set("order", exp.Order(expressions=[column.copy(), *(own.expressions if own is not None and keep else ())]))
    return tree


def with_filter_columns(header: Statement) -> Statement:
    """The header with the columns that its WHERE compares, where it does not select them: the mark, above all.

    A row that is read again then shows whether the document was reset since it was delivered.
    """
    tree = header.tree
    where = tree.args.get("where")
    unsuitable = not isinstance(tree, exp.Select) or any(tree.args.get(part) for part in ("group", "distinct"))
    if unsuitable or where is None or any(one.is_star for one in tree.expressions):
        return header
    taken = {one.alias_or_name.casefold() for one in tree.expressions}
    tree = cast("exp.Select", tree.copy())
    for column in where.find_all(exp.Column):
        if column.parent_select is where.parent and column.name.casefold() not in taken:
            taken.add(column.name.casefold())
            tree.select(exp.alias_(column.copy(), column.name, quoted=column.this.args.get("quoted")), copy=False)
    return Statement(tree, header.dialect, header.parameters)


def _wrapped(statement: Statement) -> exp.Select:
    """``SELECT * FROM (statement)``: its WITH moves outside, an ORDER BY that decides on no limit is dropped."""
    inner = statement.tree.copy()
    common = inner.args.pop("with_", None)
    if not any(inner.args.get(part) for part in ("limit", "offset", "fetch")):
        inner.set("order", None)
    while isinstance(inner, exp.Subquery) and not inner.alias:
        inner = inner.this
    outer = exp.select("*").from_(exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(_OUTER))))
    if common is not None:
        outer.set("with_", common)
    return outer


def _column(field: StatementField) -> exp.Column:
    return exp.Column(this=exp.to_identifier(field.answer, quoted=True))


def _ordered(column: exp.Expr, dialect: SqlDialect) -> exp.Expr:
    """Rows without a key come first, so that they are noticed."""
    return exp.Ordered(this=column, nulls_first=True) if dialect.nulls_last else column


def _outer_order(lines: Statement, fields: FieldList, key: StatementField, place: str) -> list[exp.Expr]:
    """The statement's own order in terms of its columns, else by line number where it has one."""
    order = lines.tree.args.get("order")
    if order is None:
        number = fields.find("LineNum")
        return [_column(number)] if number is not None else []
    select = first_select(lines.tree)
    found: list[exp.Expr] = []
    named = {key.name}
    for term in order.expressions:
        wanted = term.this if isinstance(term, exp.Ordered) else term
        field = _projected(wanted, select, fields)
        if field is None:
            raise BadMapping(
                f"明细语句的 ORDER BY {wanted.sql()} 不在查询的列中；请把它加到列里",
                f"The lines are ordered by {wanted.sql()}, which is not one of their columns: select it too",
                where=place,
            )
        if field.name not in named:  # SQL Server refuses a column that is named twice
            named.add(field.name)
            nulls_first = term.args.get("nulls_first")
            found.append(exp.Ordered(this=_column(field), desc=term.args.get("desc"), nulls_first=nulls_first))
    return found


def _projected(wanted: exp.Expr, select: exp.Select, fields: FieldList) -> StatementField | None:
    if isinstance(wanted, exp.Literal) and wanted.is_int:
        position = int(wanted.name)
        names = [one.alias_or_name for one in select.expressions]
        return fields.find(names[position - 1]) if 0 < position <= len(names) else None
    for projection in select.expressions:
        if projection.unalias() == wanted or _same_column(projection, wanted):
            return fields.find(projection.alias_or_name)
    if isinstance(wanted, exp.Column) and fields.more:
        return StatementField(name=wanted.name, answer=wanted.name)
    return None


def _same_column(projection: exp.Expr, wanted: exp.Expr) -> bool:
    """Whether ORDER BY means this projection: by its alias, or by a column that one of the two writes in full."""
    if not isinstance(wanted, exp.Column):
        return False
    name = wanted.name.casefold()
    if not wanted.table and projection.alias_or_name.casefold() == name:
        return True
    column = projection.unalias()
    return isinstance(column, exp.Column) and column.name.casefold() == name and not (column.table and wanted.table)

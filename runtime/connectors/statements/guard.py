"""The read-only guard: one query, or a call of a procedure that the connection allows. Judged on the tree."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from runtime.connectors.statements.dialects import SqlDialect
from runtime.errors import BadMapping

__all__ = ["allow_call", "require_reading"]

#: What may stand at the top of a statement.
_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)
#: What may stand nowhere in it, with the words for it.
_FORBIDDEN: tuple[tuple[type[exp.Expr], str, str], ...] = (
    (exp.DML, "写入数据（{found}）", "it writes data ({found})"),
    (exp.DDL, "改动结构或写入数据（{found}）", "it changes structures or data ({found})"),
    (exp.Drop, "删除对象（{found}）", "it drops something ({found})"),
    (exp.Alter, "改动结构（{found}）", "it changes structures ({found})"),
    (exp.TruncateTable, "清空表（{found}）", "it empties a table ({found})"),
    (exp.Into, "写入新表（SELECT INTO）", "it writes a new table (SELECT INTO)"),
    (exp.Lock, "锁定记录（FOR UPDATE / FOR SHARE）", "it locks rows (FOR UPDATE / FOR SHARE)"),
    (exp.NextValueFor, "取用序列号（NEXT VALUE FOR）", "it draws from a sequence (NEXT VALUE FOR)"),
    (exp.Command, "不是查询（{found}）", "it is no query ({found})"),
    (exp.PropertyEQ, "给变量赋值（:=）", "it assigns to a variable (:=)"),
)
#: Hints of SQL Server that take more than a reader's lock.
_LOCKING = frozenset({"UPDLOCK", "XLOCK", "TABLOCK", "TABLOCKX", "HOLDLOCK", "SERIALIZABLE"})
_ARGUMENTS = (exp.Literal, exp.National, exp.Null, exp.Boolean, exp.Neg, exp.Placeholder)


def require_reading(tree: exp.Expr, dialect: SqlDialect) -> None:
    """Refuse what is not a query, or does more than read.

    :raises BadMapping: names what was found
    """
    if not isinstance(tree, _QUERIES) and not _known(tree):
        raise _refused(f"不是查询（{_word(tree)}）", f"it is no query ({_word(tree)})")
    for node in tree.walk():
        for kind, zh, en in _FORBIDDEN:
            if isinstance(node, kind) and not isinstance(node, _QUERIES):
                raise _refused(zh.format(found=_word(node)), en.format(found=_word(node)))
        if isinstance(node, exp.Func) and dialect.has_effects(_called(node)):
            name = _called(node)
            raise _refused(
                f"调用了有副作用或触及语句之外的函数 {name}",
                f"it calls the function {name}, which does more than compute",
            )
        if isinstance(node, exp.WithTableHint) and (hints := {one.name.upper() for one in node.expressions} & _LOCKING):
            names = ", ".join(sorted(hints))
            raise _refused(f"锁定记录（{names}）", f"it locks rows ({names})")
        if isinstance(node, exp.Column) and node.name.lower() in ("nextval", "currval") and node.table:
            raise _refused(f"取用序列号（{node.name}）", f"it draws from a sequence ({node.name})")


def allow_call(call: exp.Expr, procedures: Sequence[str]) -> str:
    """The name of the procedure that is called, if it may be.

    :param procedures: the allowed names; one without a schema allows the procedure in no other schema
    :raises BadMapping: it is not allowed, or an argument is more than a value
    """
    function = call.expression if isinstance(call, exp.Dot) else call
    if not isinstance(function, exp.Anonymous):
        text = call.sql()[:100]
        raise BadMapping(f"CALL 的写法无法理解：{text}", f"This CALL cannot be understood: {text}")
    schema = call.this.sql().replace('"', "") if isinstance(call, exp.Dot) else ""
    name = f"{schema}.{function.name}" if schema else function.name
    if name.upper() not in {one.strip().upper() for one in procedures}:
        raise BadMapping(
            f"存储过程 {name} 不在此连接允许的名单（procedures）中",
            f"The procedure {name} is not on this connection's list of allowed ones (procedures)",
        )
    for argument in function.expressions:
        if not isinstance(argument, _ARGUMENTS) or argument.find(exp.Query, exp.Column, exp.Func):
            text = argument.sql()[:100]
            raise BadMapping(
                f"存储过程 {name} 的参数只能是值或占位符，这里是 {text}",
                f"The arguments of the procedure {name} can be values and placeholders only, here stands {text}",
            )
    return name


def _known(tree: exp.Expr) -> bool:
    return any(isinstance(tree, kind) for kind, _, _ in _FORBIDDEN)


def _called(function: exp.Func) -> str:
    return function.name.lower() if isinstance(function, exp.Anonymous) else function.sql_name().lower()


def _word(node: exp.Expr) -> str:
    return (node.name if isinstance(node, exp.Command) else node.key).upper()


def _refused(zh: str, en: str) -> BadMapping:
    return BadMapping(f"语句只能读取，这里{zh}", f"A statement may only read: {en}")

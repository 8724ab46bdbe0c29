"""A statement as a tree: parsed once, judged by the guard, and never sent in any other form than that of the tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from runtime.connectors.statements.dialects import CallStatement, SqlDialect
from runtime.connectors.statements.guard import allow_call, require_reading
from runtime.errors import BadMapping

__all__ = ["Statement", "parse_statement"]

#: Statements that are kept parsed.
_KEPT = 256
#: A statement this long is none that a person wrote.
_LONGEST = 100_000
#: Nor is one with so many brackets inside each other; sqlglot goes down once for each of them, whatever it does.
_DEEPEST = 40


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement that only reads. Its tree is shared: copy it before changing it."""

    #: A query, or for a call the function-like expression ``name(arguments)``.
    tree: exp.Expr
    dialect: SqlDialect
    #: Names of its parameters, in the order of their first mention; positional ones are ``0``, ``1`` …
    parameters: tuple[str, ...]
    #: The procedure's name if it is a call, else empty.
    procedure: str = ""

    @property
    def is_call(self) -> bool:
        """Whether it calls a procedure: it can be neither filtered nor ordered."""
        return bool(self.procedure)

    def sent(self) -> exp.Expr:
        """The tree of what is sent: a call is a statement of its own."""
        if not self.is_call:
            return self.tree
        keyword = "EXEC" if self.dialect.name == "tsql" else "CALL"
        return CallStatement(this=self.tree.copy(), keyword=keyword)

    def text(self) -> str:
        """The statement as it is sent, parameters as markers.

        :raises BadMapping: the dialect cannot say it
        """
        return render(self.sent(), self.dialect)


def parse_statement(text: str, dialect: SqlDialect, *, procedures: tuple[str, ...] = ()) -> Statement:
    """Parse one statement and let the guard judge it.

    Parameters are written ``:name``; ``{0}`` and ``'{0}'`` are understood as the parameter ``0``.

    :param procedures: names that may be called
    :raises BadMapping: it is not one statement that only reads, or is not SQL; says what was found
    """
    return _parse(text, dialect, tuple(procedures))


def render(tree: exp.Expr, dialect: SqlDialect) -> str:
    """A tree as text, parameters as markers.

    :raises BadMapping: the dialect cannot say it
    """
    try:
        return dialect.text(tree)
    except SqlglotError as error:
        raise BadMapping(
            "语句用到了此数据库方言没有的写法",
            "The statement says something that this database's dialect cannot",
            remote=_first_line(error),
        ) from error


@lru_cache(maxsize=_KEPT)
def _parse(text: str, dialect: SqlDialect, procedures: tuple[str, ...]) -> Statement:
    if len(text) > _LONGEST or "\x00" in text:
        raise BadMapping("语句过长或含有不允许的字符", "The statement is too long, or holds a forbidden character")
    try:
        tokens = _with_parameters(dialect.grammar.tokenize(text), text)
        if tokens and tokens[0].text.upper() == "CALL" and tokens[0].token_type is not TokenType.STRING:
            call = _one(dialect, tokens[1:], text)
            if not dialect.calls:
                raise BadMapping("SQLQueries 不能调用存储过程", "SQLQueries cannot call procedures")
            name = allow_call(call, procedures)
            return Statement(call, dialect, _names(call), name)
        tree = _one(dialect, tokens, text)
    except SqlglotError as error:
        # No other system has seen it: what the parser found is not anybody's answer.
        found = _first_line(error)
        raise BadMapping(f"语句不是可以读懂的 SQL：{found}", f"The statement is not readable SQL: {found}") from error
    except RecursionError as error:
        raise _too_deep() from error
    require_reading(tree, dialect)
    return Statement(tree, dialect, _names(tree))


def _one(dialect: SqlDialect, tokens: list[Token], text: str) -> exp.Expr:
    """The only statement.

    :raises BadMapping: there are none or several
    """
    depth = 0
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth > _DEEPEST:
            raise _too_deep()
        for comment in token.comments:
            if comment.lstrip().startswith(("!", "M!")):
                raise BadMapping(
                    "语句里有会被执行的注释（/*! … */），不允许",
                    "The statement holds a comment that would be carried out (/*! … */)",
                )
    found = [tree for tree in dialect.grammar.parser().parse(tokens, text) if tree is not None]
    found = [tree for tree in found if not isinstance(tree, exp.Semicolon)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadMapping("语句是空的", "The statement is empty")
    kinds = ", ".join(tree.key.upper() for tree in found)
    raise BadMapping(
        f"只允许一条语句，这里有 {len(found)} 条（{kinds}）",
        f"One statement is allowed, here are {len(found)} ({kinds})",
    )


def _with_parameters(tokens: list[Token], text: str) -> list[Token]:
    """The tokens with ``{0}`` and ``'{0}'`` turned into parameters.

    :raises BadMapping: such a placeholder stands inside a longer text
    """
    result: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        braces = [one.token_type for one in tokens[position : position + 3]]
        if braces == [TokenType.L_BRACE, TokenType.NUMBER, TokenType.R_BRACE]:
            result += _parameter(token, tokens[position + 1].text)
            position += 3
            continue
        if token.token_type in (TokenType.STRING, TokenType.NATIONAL_STRING) and "{" in token.text:
            inner = token.text.strip().removeprefix("{").removesuffix("}")
            if token.text.strip() == f"{{{inner}}}" and inner.isdecimal():
                result += _parameter(token, inner)
                position += 1
                continue
            if any(f"{{{digit}}}" in token.text for digit in range(10)):
                raise BadMapping(
                    f"占位符必须是整个文本：'{token.text}'；请用 || 或 + 拼接",
                    f"A placeholder has to be the whole text: '{token.text}'; join it with || or +",
                )
        result.append(token)
        position += 1
    return result


def _parameter(token: Token, name: str) -> list[Token]:
    line, column, start, end = token.line, token.col, token.start, token.end
    return [
        Token(TokenType.COLON, ":", line, column, start, end, token.comments),
        Token(TokenType.VAR, name, line, column, start, end),
    ]


def _names(tree: exp.Expr) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for placeholder in tree.find_all(exp.Placeholder):
        name = placeholder.name
        if not name or name == "?":
            raise BadMapping("参数要有名字，请写成 :name", "A parameter needs a name: write :name instead of ?")
        names[name] = None
    return tuple(names)


def _too_deep() -> BadMapping:
    return BadMapping("语句嵌套过深", "The statement is nested too deeply")


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__

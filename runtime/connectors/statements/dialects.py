"""The five ways of writing SQL that are understood, each so that a statement is sent as it was written.

sqlglot knows many functions and rewrites them (``IFNULL`` becomes ``COALESCE``). Here no function has a meaning: what a
statement calls is what the database gets. There is no dialect of HANA in sqlglot; its base dialect comes closest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sqlglot import ErrorLevel, TokenType, exp, generator, parser, tokens
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.sqlite import SQLite
from sqlglot.dialects.tsql import TSQL
from sqlglot.generators.mysql import MySQLGenerator
from sqlglot.generators.postgres import PostgresGenerator
from sqlglot.generators.sqlite import SQLiteGenerator
from sqlglot.generators.tsql import TSQLGenerator
from sqlglot.parsers.mysql import MySQLParser
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.parsers.sqlite import SQLiteParser
from sqlglot.parsers.tsql import TSQLParser

__all__ = ["DIALECTS", "CallStatement", "DialectName", "SqlDialect", "marker"]

#: ``service_layer`` is what its SQLQueries understand: as HANA, but every name comes back as it was written.
DialectName = Literal["hana", "tsql", "postgres", "mysql", "sqlite", "service_layer"]

#: Stands around the name of a bound parameter in generated text; no statement may contain it.
_EDGE = "\x00"


def marker(name: str) -> str:
    """How a bound parameter stands in generated text, until it gets the spelling of the driver."""
    return f"{_EDGE}{name}{_EDGE}"


_Keywords = dict[str, TokenType]


def _without_call(keywords: _Keywords) -> _Keywords:
    """sqlglot takes what follows CALL for one opaque text; here its arguments are read."""
    return {word: kind for word, kind in keywords.items() if word != "CALL"}


def _placeholder(_generator: Any, expression: exp.Placeholder) -> str:
    return marker(expression.name)


class CallStatement(exp.Expression):
    """``CALL name(arguments)``, in SQL Server ``EXEC name arguments``."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "keyword": True}


def _call(generator: Any, expression: CallStatement) -> str:
    keyword, call = expression.args["keyword"], expression.this
    if keyword == "CALL":
        return f"CALL {generator.sql(call)}"
    function = call.expression if isinstance(call, exp.Dot) else call
    schema = f"{generator.sql(call.this)}." if isinstance(call, exp.Dot) else ""
    arguments = ", ".join(generator.sql(one) for one in function.expressions)
    return f"{keyword} {schema}{generator.sql(function.this)} {arguments}".rstrip()


#: What every dialect here says in its own way.
_OWN: dict[Any, Any] = {exp.Placeholder: _placeholder, CallStatement: _call}


class Hana(Dialect):
    """SAP HANA."""

    NORMALIZATION_STRATEGY = NormalizationStrategy.UPPERCASE

    class Tokenizer(tokens.Tokenizer):
        """``TOP`` stands behind SELECT."""

        KEYWORDS: ClassVar[_Keywords] = {**_without_call(tokens.Tokenizer.KEYWORDS), "TOP": TokenType.TOP}

    class Parser(parser.Parser):
        """Functions without a meaning."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}

    class Generator(generator.Generator):
        """Types keep their names; a limit is ``TOP``, which the Service Layer understands too."""

        LIMIT_IS_TOP = True
        TYPE_MAPPING: ClassVar[dict[Any, str]] = {}
        TRANSFORMS: ClassVar[dict[Any, Any]] = {**generator.Generator.TRANSFORMS, **_OWN}

        def offset_sql(self, expression: exp.Offset) -> str:
            """``TOP`` knows no offset."""
            self.unsupported("OFFSET")
            return ""


class PlainTSQL(TSQL):
    """Microsoft SQL Server."""

    class Tokenizer(TSQL.Tokenizer):
        """``CALL`` is a word like others."""

        KEYWORDS: ClassVar[_Keywords] = _without_call(TSQL.Tokenizer.KEYWORDS)

    class Parser(TSQLParser):
        """Functions without a meaning."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}

    class Generator(TSQLGenerator):
        """Parameters as markers."""

        TRANSFORMS: ClassVar[dict[Any, Any]] = {**TSQLGenerator.TRANSFORMS, **_OWN}


class PlainPostgres(Postgres):
    """PostgreSQL."""

    class Tokenizer(Postgres.Tokenizer):
        """``CALL`` is a word like others."""

        KEYWORDS: ClassVar[_Keywords] = _without_call(Postgres.Tokenizer.KEYWORDS)

    class Parser(PostgresParser):
        """Functions without a meaning."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}

    class Generator(PostgresGenerator):
        """Parameters as markers."""

        TRANSFORMS: ClassVar[dict[Any, Any]] = {**PostgresGenerator.TRANSFORMS, **_OWN}


class PlainMySQL(MySQL):
    """MariaDB and MySQL."""

    class Tokenizer(MySQL.Tokenizer):
        """``CALL`` is a word like others."""

        KEYWORDS: ClassVar[_Keywords] = _without_call(MySQL.Tokenizer.KEYWORDS)

    class Parser(MySQLParser):
        """Functions without a meaning."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}

    class Generator(MySQLGenerator):
        """Parameters as markers."""

        TRANSFORMS: ClassVar[dict[Any, Any]] = {**MySQLGenerator.TRANSFORMS, **_OWN}


class PlainSQLite(SQLite):
    """SQLite."""

    class Tokenizer(SQLite.Tokenizer):
        """``CALL`` is a word like others."""

        KEYWORDS: ClassVar[_Keywords] = _without_call(SQLite.Tokenizer.KEYWORDS)

    class Parser(SQLiteParser):
        """Functions without a meaning."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}

    class Generator(SQLiteGenerator):
        """Parameters as markers."""

        TRANSFORMS: ClassVar[dict[Any, Any]] = {**SQLiteGenerator.TRANSFORMS, **_OWN}


@dataclass(frozen=True, kw_only=True)
class SqlDialect:
    """How one family of databases writes and answers."""

    name: DialectName
    grammar: Dialect
    #: What an unquoted name becomes in the answer: ``upper``, ``lower`` or as written.
    folding: Literal["upper", "lower", "none"] = "none"
    #: Sorts NULL last unless told otherwise.
    nulls_last: bool = False
    #: Functions that change or reach something outside the statement, in lower case. They are refused so that an error
    #: tells; what keeps a statement from writing is the transaction, and the user's rights what it may read.
    writing: frozenset[str] = frozenset()
    #: The same as families: how their names begin.
    writing_families: tuple[str, ...] = ()
    #: Whether a statement may be a CALL.
    calls: bool = True

    def text(self, tree: exp.Expr) -> str:
        """The statement as text, without comments, bound parameters as :func:`marker`.

        :raises UnsupportedError: the dialect cannot say it
        """
        return self.grammar.generate(
            tree, comments=False, normalize_functions=False, unsupported_level=ErrorLevel.RAISE
        )

    def has_effects(self, function: str) -> bool:
        """Whether a function of this name changes or reaches something outside the statement."""
        name = function.lower()
        return name in self.writing or name.startswith(self.writing_families)

    def fold(self, name: str, *, quoted: bool) -> str:
        """The name in the answer of a column that is called like this."""
        if quoted or self.folding == "none":
            return name
        return name.upper() if self.folding == "upper" else name.lower()


_ANYWHERE = frozenset({"nextval", "setval"})
DIALECTS: dict[str, SqlDialect] = {
    dialect.name: dialect
    for dialect in (
        SqlDialect(name="hana", grammar=Hana(), folding="upper", writing=_ANYWHERE),
        SqlDialect(
            name="tsql",
            grammar=PlainTSQL(),
            writing=_ANYWHERE | {"openrowset", "opendatasource", "openquery"},
        ),
        SqlDialect(
            name="postgres",
            grammar=PlainPostgres(),
            folding="lower",
            nulls_last=True,
            writing=_ANYWHERE
            | {"set_config", "loread", "lowrite"}
            # These carry out a text as a statement, which nobody judged.
            | {"ts_stat", "ts_rewrite", "crosstab", "connectby", "xpath_table"},
            # Server administration and files, large objects, other servers, statements as text.
            writing_families=("pg_", "lo_", "dblink", "query_to_xml", "cursor_to_xml", "crosstab", "binary_upgrade_"),
        ),
        SqlDialect(
            name="mysql",
            grammar=PlainMySQL(),
            writing=_ANYWHERE | {"get_lock", "release_lock", "release_all_locks", "load_file", "lastval"},
            # The functions of lib_mysqludf_sys, which run programs.
            writing_families=("sys_",),
        ),
        SqlDialect(
            name="sqlite",
            grammar=PlainSQLite(),
            writing=frozenset({"load_extension", "readfile", "writefile", "fsdir", "edit", "fts3_tokenizer"}),
        ),
        SqlDialect(name="service_layer", grammar=Hana(), writing=_ANYWHERE, calls=False),
    )
}

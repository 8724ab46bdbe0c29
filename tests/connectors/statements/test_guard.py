"""The read-only guard: judged on the tree, in every dialect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.connectors.statements.dialects import DIALECTS
from runtime.connectors.statements.examining import statement_problems
from runtime.connectors.statements.parsing import parse_statement
from runtime.errors import BadMapping

ALL = sorted(DIALECTS)
READING = [
    "SELECT a FROM t",
    "SELECT a FROM t;",
    "SELECT a FROM t -- ; DROP TABLE t",
    "SELECT a /* ; DELETE FROM t */ FROM t",
    "WITH x AS (SELECT a FROM t) SELECT a FROM x UNION ALL SELECT b FROM u ORDER BY 1",
    "(SELECT a FROM t) UNION SELECT b FROM u",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a) AND b LIKE '%; DROP TABLE t%'",
    "SELECT 'DELETE FROM t' AS a, MAX(b) AS b FROM t GROUP BY a HAVING COUNT(*) > 1",
]
#: Statement → what the refusal names.
FORBIDDEN = {
    "SELECT 1 AS a; DROP TABLE t": "here are 2 (SELECT, DROP)",
    "SELECT 1 AS a; SELECT 2 AS a": "here are 2 (SELECT, SELECT)",
    "SELECT 1 AS a;--\nDROP TABLE t": "here are 2",
    "SELECT 1 AS a /* x */; DELETE FROM t": "here are 2",
    "SELECT 1 AS a /*! INTO OUTFILE '/tmp/x' */": "would be carried out",
    "SELECT a INTO u FROM t": "SELECT INTO",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x": "DELETE",
    "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x": "INSERT",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 INTO u)": "SELECT INTO",
    "INSERT INTO t VALUES (1)": "INSERT",
    "UPDATE t SET a = 1": "UPDATE",
    "DELETE FROM t": "DELETE",
    "MERGE INTO t USING u ON 1 = 1 WHEN MATCHED THEN DELETE": "MERGE",
    "TRUNCATE TABLE t": "TRUNCATE",
    "CREATE TABLE u AS SELECT 1": "CREATE",
    "ALTER TABLE t ADD b INT": "ALTER",
    "DROP TABLE t": "DROP",
    "GRANT ALL ON t TO u": "GRANT",
    "SET x = 1": "SET",
    "USE other": "USE",
    "KILL 1": "KILL",
    "COMMIT": "COMMIT",
    "CALL wipe()": "not on this connection's list",
    "CALL allowed((SELECT 1))": "values and placeholders only",
    "CALL allowed(1); DROP TABLE t": "here are 2",
    "SELECT a FROM t WHERE b = ?": "write :name",
    "SELECT a FROM t WHERE b = 'x{0}'": "has to be the whole text",
    "": "empty",
    " ; -- nothing": "empty",
    "SELECT a FROM t WHERE (": "not readable",
    "SELECT a \x00 FROM t": "forbidden character",
}
OF_ONE_DIALECT = [
    ("postgres", "SELECT a FROM t FOR UPDATE", "locks rows"),
    ("hana", "SELECT a FROM t FOR UPDATE", "locks rows"),
    ("mysql", "SELECT a FROM t LOCK IN SHARE MODE", "locks rows"),
    ("mysql", "SELECT @a := 1 AS a", "assigns to a variable"),
    ("mysql", "SELECT a FROM t INTO OUTFILE '/tmp/x'", ""),
    ("mysql", "SELECT GET_LOCK('a', 10) AS a", "get_lock"),
    ("postgres", "SELECT pg_catalog.set_config('a', 'b', true) AS a", "set_config"),
    ("postgres", "SELECT \"set_config\"('a', 'b', true) AS a", "set_config"),
    ("postgres", "SELECT * FROM dblink('x', 'delete from t') AS t(a int)", "dblink"),
    ("postgres", "SELECT nextval('s') AS a", "nextval"),
    ("postgres", "SELECT pg_ls_dir('/') AS a", "pg_ls_dir"),
    ("postgres", "SELECT * FROM pg_catalog.PG_SLEEP(9) AS a", "pg_sleep"),
    ("postgres", "SELECT query_to_xmlschema('DELETE FROM t', true, true, '') AS a", "query_to_xmlschema"),
    ("postgres", "WITH x AS (WITH y AS (DELETE FROM t RETURNING a) SELECT a FROM y) SELECT a FROM x", "DELETE"),
    ("mysql", "SELECT sys_eval('id') AS a", "sys_eval"),
    ("tsql", "SELECT a FROM t (UPDLOCK)", "UPDLOCK"),
    ("tsql", "SELECT a FROM t JOIN u WITH (NOLOCK, tablockx) ON 1 = 1", "TABLOCKX"),
    ("postgres", "DO $$ BEGIN END $$", "DO"),
    ("hana", "SELECT s.NEXTVAL AS a FROM DUMMY", "sequence"),
    ("tsql", "SELECT NEXT VALUE FOR s AS a", "sequence"),
    ("tsql", "EXEC wipe", "EXEC"),
    ("tsql", "SELECT * FROM OPENROWSET('a', 'b', 'DELETE FROM t')", "openrowset"),
    ("sqlite", "SELECT load_extension('x') AS a", "load_extension"),
    ("sqlite", "ATTACH 'x' AS y", "ATTACH"),
    ("sqlite", "PRAGMA writable_schema = 1", "PRAGMA"),
]


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("statement", READING)
def test_one_query_may_be_sent_and_is_sent_without_its_comments(dialect: str, statement: str) -> None:
    text = parse_statement(statement, DIALECTS[dialect]).text()
    assert "--" not in text
    assert "/*" not in text
    assert parse_statement(text, DIALECTS[dialect]).text() == text


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(("statement", "named"), FORBIDDEN.items())
def test_anything_else_is_refused_and_named(dialect: str, statement: str, named: str) -> None:
    with pytest.raises(BadMapping) as caught:
        parse_statement(statement, DIALECTS[dialect], procedures=("allowed",))
    if dialect == "service_layer" and statement.startswith("CALL ") and "here are 2" not in named:
        named = "SQLQueries cannot call procedures"
    assert named in caught.value.en
    assert statement_problems(statement, dialect, procedures=("allowed",))[0].level == "error"


@pytest.mark.parametrize(("dialect", "statement", "named"), OF_ONE_DIALECT)
def test_what_writes_in_one_dialect_only(dialect: str, statement: str, named: str) -> None:
    with pytest.raises(BadMapping) as caught:
        parse_statement(statement, DIALECTS[dialect])
    assert named in caught.value.en


@given(
    st.text(alphabet=st.sampled_from(list("selctfromdrp; '\"-/*!()#@:{}0\\\n\t")), max_size=60), st.sampled_from(ALL)
)
def test_whatever_is_accepted_is_one_query(text: str, dialect: str) -> None:
    try:
        statement = parse_statement(f"SELECT a FROM t WHERE b = {text}", DIALECTS[dialect])
    except BadMapping:
        return
    again = (
        parse_statement(statement.text().replace("\x00", ":"), DIALECTS[dialect])
        if not statement.parameters
        else statement
    )
    assert again.text().upper().startswith("SELECT")


@pytest.mark.parametrize("depth", [41, 100, 1000, 10_000])
def test_what_is_nested_deeper_than_a_person_writes_is_refused(depth: int) -> None:
    for statement in (
        f"SELECT {'(' * depth}1{')' * depth} AS a",
        f"SELECT a FROM {'(SELECT a FROM ' * depth}t{')' * depth}",
    ):
        with pytest.raises(BadMapping, match=r"nested too deeply|too long"):
            parse_statement(statement, DIALECTS["hana"])


def test_a_call_is_allowed_by_name_and_schema() -> None:
    hana = DIALECTS["hana"]
    call = parse_statement("call TMDK('{0}', '{1}', '{2}')", hana, procedures=("tmdk",))
    assert (call.procedure, call.parameters) == ("TMDK", ("0", "1", "2"))
    assert parse_statement('call "DB".TMDK(1)', hana, procedures=("DB.TMDK",)).procedure == "DB.TMDK"
    with pytest.raises(BadMapping):
        parse_statement("call OTHER.TMDK(1)", hana, procedures=("TMDK",))

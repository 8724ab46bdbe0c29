"""Headers with their lines on SQLite, PostgreSQL and MariaDB: complete, in order, unharmed by what they are given."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from runtime.connectors.sql import client
from runtime.errors import BadMapping, IntegrationError, NotFound, NotPermitted, TimedOut, ValueRefused

HEADER = (
    'SELECT T0."DocEntry", T0."CardCode", T0."DocDate", T0."DocTotal" FROM "ODRF" T0 '
    "WHERE COALESCE(T0.\"U_ISSYN\", 'N') = :mark"
)
LINES = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Quantity" FROM "DRF1" T1'


def query(company: Any, **changes: Any) -> dict[str, Any]:
    params = {"statement": HEADER, "lines": {"statement": LINES}, "parameters": {"mark": "N"}} | changes
    params["statement"] = company.sql(params["statement"])
    if params["lines"]:
        params["lines"] = params["lines"] | {"statement": company.sql(params["lines"]["statement"])}
    return params


@pytest.mark.parametrize("page_size", [1, 3, 7, 100])
async def test_headers_come_in_the_order_of_their_key_each_with_its_lines(company, connect, call, page_size) -> None:
    company.fill(7)
    rows = await call(connect(), "query", **query(company, page_size=page_size))
    assert [row["DocEntry"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[1] == {
        "DocEntry": 2,
        "CardCode": "C00002",
        "DocDate": "2026-01-03",
        "DocTotal": Decimal("0.25"),
        "Lines": [
            {"DocEntry": 2, "LineNum": 0, "ItemCode": "物料'0", "Quantity": Decimal("2.5")},
            {"DocEntry": 2, "LineNum": 1, "ItemCode": "物料'1", "Quantity": Decimal("2.5")},
        ],
    }


async def test_a_number_has_no_zeros_behind_it_whatever_scale_the_column_has(company, connect, call) -> None:
    company.fill(16, lines=1)
    statement = company.sql('SELECT "DocEntry", "DocTotal" FROM "ODRF"')
    rows = await call(connect(), "query", statement=statement)
    assert [str(row["DocTotal"]) for row in rows][7:10] == ["1", "1.125", "1.25"]


async def test_keys_of_text_several_line_tables_and_an_order_of_their_own(company, connect, call) -> None:
    company.fill(5, lines=3)
    backwards = company.sql('SELECT "CardCode" AS "Partner", "LineNum" FROM "DRF1" ORDER BY "LineNum" DESC')
    lines = [
        {"name": "Items", "statement": company.sql('SELECT "CardCode", "ItemCode" FROM "DRF1" WHERE "LineNum" > 0')},
        {"name": "Numbers", "statement": backwards, "key": "Partner"},
    ]
    params = query(company, key="CardCode", lines=None, page_size=2) | {"lines": lines}
    rows = await call(connect(), "query", **params)
    assert [row["CardCode"] for row in rows] == [f"C{number:05}" for number in range(1, 6)]
    assert all([line["LineNum"] for line in row["Numbers"]] == [2, 1, 0] for row in rows)
    assert all(len(row["Items"]) == 2 for row in rows)


@pytest.mark.parametrize("top", [0, 1, 3, 4, 99])
async def test_top_is_honoured_across_pages(company, connect, call, top) -> None:
    company.fill(7, lines=1)
    rows = await call(connect(), "query", **query(company, page_size=3, top=top))
    assert [row["DocEntry"] for row in rows] == list(range(1, 8))[:top]


async def test_a_flow_that_changes_what_it_filters_on_sees_every_row(company, connect) -> None:
    company.fill(12, lines=1)
    action = connect().actions["query"]
    seen = []
    async for row in await action.run(action.params.model_validate(query(company, page_size=2))):
        seen.append(row["DocEntry"])
        company.execute(company.sql(f'UPDATE "ODRF" SET "U_ISSYN" = \'Y\' WHERE "DocEntry" <= {row["DocEntry"]}'))
    assert seen == list(range(1, 13))


async def test_a_row_is_read_again_with_the_column_that_the_filter_compares(company, connect) -> None:
    company.fill(3)
    action = connect().actions["query"]
    params = action.params.model_validate(query(company))
    row = [one async for one in await action.run(params)][1]
    assert action.reread is not None
    assert await action.reread(params, row) == row | {"U_ISSYN": "N"}
    company.execute(company.sql('UPDATE "ODRF" SET "U_ISSYN" = \'Y\' WHERE "DocEntry" = 2'))
    assert await action.reread(params, row) is None


async def test_every_column_of_a_table_and_of_a_common_table(company, connect, call) -> None:
    company.fill(2, lines=0)
    with_ = 'WITH waiting AS (SELECT * FROM "ODRF" WHERE "DocEntry" > 1) SELECT * FROM waiting ORDER BY "CardCode"'
    [row] = await call(connect(), "query", **query(company, statement=with_, parameters={}))
    assert (row["DocEntry"], row["Lines"]) == (2, [])


HOSTILE = ["x'; DROP TABLE ODRF; --", "' OR '1'='1", "a\\", "\\'; --", ":mark", "%s %(a)s", "{0}", "物料", "/* */", ""]


async def test_whatever_a_parameter_holds_it_is_only_a_value(company, connect, call) -> None:
    company.fill(1)
    connection = connect()
    for value in HOSTILE:
        [found] = await call(connection, "exec_sql", sql="SELECT :v AS v, 'a :b %c' AS x", parameters={"v": value})
        assert found == {"v": value, "x": "a :b %c"}
        assert await call(connection, "query", **query(company, parameters={"mark": value})) == []
    assert company.count("ODRF") == 1


REFUSED = {
    'SELECT "DocEntry" FROM "ODRF"; DELETE FROM "ODRF"': "One statement is allowed",
    'SELECT "DocEntry" FROM "ODRF" /*! ; DELETE FROM "ODRF" */': "comment that would be carried out",
    'DELETE FROM "ODRF"': "it writes data (DELETE)",
    'UPDATE "ODRF" SET "DocEntry" = 1': "it writes data (UPDATE)",
    'SELECT "DocEntry" INTO x FROM "ODRF"': "SELECT INTO",
    'SELECT "DocEntry" FROM "ODRF" FOR UPDATE': "locks rows",
    'DROP TABLE "ODRF"': "DROP",
    'SELECT "CardCode" FROM "ODRF"': "no key column DocEntry",
    'SELECT "DocEntry", COUNT(*) FROM "ODRF" GROUP BY "DocEntry"': "Column 2 of the statement has no name",
    'SELECT "DocEntry", "CardCode" AS "DocEntry" FROM "ODRF"': "Two columns of the statement are called DocEntry",
    "CALL p()": "not on this connection's list",
    'SELECT "DocEntry" FROM "ODRF" WHERE "CardCode" = :nobody': "parameter nobody is not given",
    'SELECT "DocEntry" FROM "NOWHERE"': "does not accept this statement",
    'SELECT "NoSuch" AS "DocEntry" FROM "ODRF" T0 WHERE T0."NoSuch" = 1': "does not accept this statement",
}


async def test_what_is_wrong_with_a_header_is_said_and_changes_nothing(company, connect, call) -> None:
    company.fill(3)
    connection = connect()
    for statement, said in REFUSED.items():
        with pytest.raises((BadMapping, ValueRefused)) as caught:
            await call(connection, "query", **query(company, statement=statement, parameters={}))
        assert said in caught.value.en, statement
    with pytest.raises(BadMapping, match=r"lines\.Lines .* no key column DocEntry"):
        await call(connection, "query", **query(company, lines={"statement": 'SELECT "ItemCode" FROM "DRF1"'}))
    with pytest.raises(ValueRefused, match="has no parameter more"):
        await call(connection, "query", **query(company, parameters={"mark": "N", "more": 1}))
    assert company.count("ODRF") == 3


BAD_KEYS = {
    'SELECT "DocEntry" FROM "DRF1"': "more than once",
    'SELECT CASE WHEN "DocEntry" = 2 THEN NULL ELSE "DocEntry" END AS "DocEntry" FROM "ODRF"': "no value in its key",
}


@pytest.mark.parametrize("page_size", [1, 2, 100])
async def test_a_key_that_stands_twice_or_is_empty_is_noticed_wherever_the_pages_part(
    company, connect, call, page_size
) -> None:
    company.fill(3)
    connection = connect()
    for statement, said in BAD_KEYS.items():
        params = query(company, statement=statement, parameters={}, lines=None, page_size=page_size)
        with pytest.raises(BadMapping, match=said):
            await call(connection, "query", **params)


async def test_a_statement_that_never_ends_is_cancelled(company, connect, call) -> None:
    company.fill(1)
    connection = connect(timeout=0.5)
    for changes in ({"statement": company.endless, "lines": None, "parameters": {}},
                    {"lines": {"statement": company.endless}}):  # fmt: skip
        with pytest.raises(TimedOut, match=r"not end within 0\.5 seconds and was cancelled"):
            await call(connection, "query", **query(company, **changes))
    if company.kind != "sqlite":
        assert await running(company) == []
    assert len(await call(connection, "query", **query(company))) == 1


async def running(company: Any) -> list[Any]:
    """The endless statements that the server is still at; it is given a moment."""
    question = {
        "postgresql": "select query from pg_stat_activity where state = 'active' and query like '%b1_rows%' "
        "and pid <> pg_backend_pid()",
        "mariadb": "select info from information_schema.processlist where info like '%benchmark%' "
        "and id <> connection_id()",
    }[company.kind]
    for _ in range(50):
        with company.engine.connect() as connection:
            found = list(connection.execute(text(question)).all())
        if not found:
            break
        await asyncio.sleep(0.1)
    return found


async def test_a_cancelled_run_leaves_no_statement_behind(company, connect) -> None:
    action = connect().actions["query"]
    rows = await action.run(action.params.model_validate({"statement": company.endless}))
    task = asyncio.ensure_future(anext(rows))
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    if company.kind == "postgresql":
        assert await running(company) == []


async def test_a_driver_that_does_not_come_back_is_given_up(company, connect, call, monkeypatch) -> None:
    company.fill(1)
    monkeypatch.setattr(client, "_GRACE", 0.0)
    connection = connect(timeout=0.2)
    back = threading.Event()
    with pytest.raises(TimedOut, match="was cancelled"):
        await connection._database.run(lambda line: back.wait(60))
    back.set()
    assert await call(connect(), "query", **query(company, top=0)) == []
    assert len(await call(connect(), "query", **query(company))) == 1


async def test_ten_million_rows_are_read_in_flat_memory(company, connect, call) -> None:
    connection = connect(timeout=100)
    action = connection.actions["query"]
    pages = 1 if company.kind == "sqlite" else 2  # each takes it seconds
    wanted = {"statement": company.ten_million, "page_size": 100, "top": 100 * pages}
    params = action.params.model_validate(wanted)
    await call(connection, "exec_sql", sql="SELECT 1 AS x")  # whatever is loaded once
    tracemalloc.start()
    try:
        count = 0
        async for row in await action.run(params):
            count += 1
            assert row == {"DocEntry": count}
        peak = tracemalloc.get_traced_memory()[1]
        assert count == 100 * pages
        assert peak < 5_000_000
    finally:
        tracemalloc.stop()


async def test_more_lines_than_memory_is_meant_for_are_refused(company, connect, call) -> None:
    company.fill(1)
    many = company.ten_million.replace("10000000", "300000").replace(
        company.sql(' as "DocEntry"'), company.sql(' - {} + 1 as "DocEntry"')
    )
    name = {"sqlite": "n", "postgresql": "g", "mariadb": "seq"}[company.kind]
    with pytest.raises(BadMapping, match="more than 100000 rows at once"):
        await call(connect(timeout=100), "query", **query(company, lines={"statement": many.format(name)}))


async def test_lines_of_a_key_that_the_database_holds_for_equal(company, connect, call) -> None:
    """MariaDB compares texts without regard to case; whoever joins by hand would lose such lines."""
    company.insert("ODRF", [{"CardCode": "abc"}])
    company.insert("DRF1", [{"CardCode": "ABC"}])
    params = {
        "statement": company.sql('SELECT "CardCode" FROM "ODRF"'),
        "lines": {"statement": company.sql('SELECT "CardCode" FROM "DRF1"')},
        "key": "CardCode",
    }
    [row] = await call(connect(), "query", **params)
    assert row["Lines"] == ([{"CardCode": "ABC"}] if company.kind == "mariadb" else [])


async def test_writing_is_impossible_even_behind_the_guard(company, connect) -> None:
    connection = connect()
    with pytest.raises(NotPermitted):
        await connection._database.run(lambda line: line.execute(text(company.sql('DELETE FROM "ODRF"'))))


OUTSIDE = {
    "sqlite": ["SELECT readfile('/etc/hostname') AS a", "SELECT * FROM fsdir('/')", "ATTACH '/tmp/other.db' AS other"],
    "postgresql": [
        "SELECT pg_read_file('/etc/hostname') AS a",
        "SELECT * FROM ROWS FROM (pg_ls_dir('/'))",
        "SELECT l.a FROM (SELECT 1) AS x CROSS JOIN LATERAL pg_catalog.pg_read_binary_file('/etc/hostname') AS l(a)",
        "SELECT U&\"pg\\005fread_file\"('/etc/hostname') AS a",
        "SELECT lo_import('/etc/hostname') AS a",
        "SELECT query_to_xml_and_xmlschema('select pg_read_file(1)', true, true, '') AS a",
        "SELECT word FROM ts_stat('select pg_read_file(1)')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
    "mariadb": [
        "SELECT LOAD_FILE('/etc/hostname') AS a",
        "SELECT `load_file`('/etc/hostname') AS a",
        "SELECT 1 AS a UNION SELECT 2 INTO OUTFILE '/tmp/other'",
        "(SELECT 1 AS a) INTO DUMPFILE '/tmp/other'",
        "LOAD DATA INFILE '/etc/hostname' INTO TABLE ODRF",
    ],
}


async def test_no_file_is_read_or_written_whatever_the_user_may_do(company, connect, call) -> None:
    connection = connect()
    for statement in OUTSIDE[company.kind]:
        with pytest.raises(IntegrationError) as caught:
            await call(connection, "exec_sql", sql=statement)
        assert isinstance(caught.value, BadMapping), statement
    if company.kind == "sqlite":
        with pytest.raises(IntegrationError):
            await connection._database.run(lambda line: line.execute(text("ATTACH '/tmp/other.db' AS other")))
        with pytest.raises(IntegrationError):
            await call(connection, "exec_sql", sql="SELECT zeroblob(900000000) AS a")


async def test_procedures_run_by_name_only_and_write_nothing(company, connect, call) -> None:
    if company.kind != "mariadb":
        with pytest.raises(IntegrationError):
            await call(connect(procedures="harmless"), "exec_sql", sql="CALL other('x')")
        return
    company.execute("CREATE PROCEDURE harmless(a VARCHAR(20), b INT) SELECT a AS name, b + 1 AS number")
    company.execute("CREATE PROCEDURE harmful() BEGIN COMMIT; DELETE FROM ODRF; COMMIT; END")
    company.fill(1)
    connection = connect(procedures="harmless, harmful")
    rows = await call(connection, "exec_sql", sql="call harmless('{0}', {1})", parameters=["it's", 4])
    assert rows == [{"name": "it's", "number": 5}]
    with pytest.raises(NotPermitted):
        await call(connection, "exec_sql", sql="call harmful()")
    assert company.count("ODRF") == 1


async def test_the_catalog_has_tables_views_and_columns(company, connect) -> None:
    company.execute(company.sql('CREATE VIEW "OPEN" AS SELECT "DocEntry" FROM "ODRF"'))
    catalog = connect().catalog()
    assert [entity.name for entity in await catalog.entities()] == ["DRF1", "ODRF", "OPEN"]
    fields = await catalog.fields("ODRF")
    assert {field.name: field.type for field in fields} == {
        "DocEntry": "integer", "CardCode": "text", "DocDate": "date", "DocTotal": "decimal", "U_ISSYN": "text",
    }  # fmt: skip
    assert (fields[0].label, fields[-1].custom) == ("单据内部号", True)
    with pytest.raises(NotFound):
        await catalog.fields("NOWHERE")


async def test_the_test_says_what_was_reached(company, connect) -> None:
    lines = (await connect().test()).lines
    assert any("只读" in zh for zh, _ in lines)
    assert any("2 tables" in en for _, en in lines)
    assert any("too much power" in en for _, en in lines) == (company.kind != "sqlite")

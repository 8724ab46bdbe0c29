"""Statements over SQLQueries: definitions that are found again, ranges of lines, and errors in plain words."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from runtime.errors import BadMapping, ValueRefused

HEADER = 'SELECT T0."DocEntry", T0."Name" FROM ODRF T0 WHERE T0."Mark" = :mark OR T0."Mark" IS NULL'
LINES = 'SELECT "DocEntry", "LineNum" FROM DRF1 ORDER BY "LineNum" DESC'


class Queries:
    """SQLQueries of a company, carried out on SQLite."""

    def __init__(self) -> None:
        self.definitions: dict[str, str] = {}
        self.posted = 0
        self.runs: list[tuple[str, dict[str, str]]] = []
        self.page_cap = 10_000
        self.refusal: tuple[str, str] | None = None
        self.hides_definitions = False
        self.stub: Any = None
        self.data = sqlite3.connect(":memory:")
        self.data.executescript(
            "CREATE TABLE ODRF (DocEntry, Name TEXT, Mark TEXT); CREATE TABLE DRF1 (DocEntry, LineNum INT);"
        )

    def fill(self, keys: Any, lines: int = 2) -> None:
        for key in keys:
            self.data.execute("INSERT INTO ODRF VALUES (?, ?, 'N')", (key, f"d{key}"))
            self.data.executemany("INSERT INTO DRF1 VALUES (?, ?)", [(key, line) for line in range(lines)])

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        path = request.path.partition("/b1s/v1/")[2]
        if not path.startswith("SQLQueries"):
            return None
        if request.method == "POST":
            body = json.loads(await request.read())
            if self.refusal is not None:
                return self.stub.refuse(400, *self.refusal)
            if body["SqlCode"] in self.definitions:
                return self.stub.refuse(400, -2035, "This entry already exists in the following tables")
            self.posted += 1
            self.definitions[body["SqlCode"]] = body["SqlText"]
            return web.json_response(body, status=201)
        code = path.partition("'")[2].partition("'")[0]
        if code not in self.definitions or (self.hides_definitions and not path.endswith("/List")):
            return self.stub.refuse(404, -2028, "No matching records found (ODBC -2028)")
        return self.listed(request, code) if path.endswith("/List") else web.json_response({"SqlCode": code})

    def listed(self, request: web.Request, code: str) -> web.Response:
        given = {name: value for name, value in request.query.items() if name != "$skip"}
        self.runs.append((code, given))
        text = self.definitions[code]
        assert set(re.findall(r":(\w+)", text)) == set(given)
        found = self.data.execute(text, {name: _value(value) for name, value in given.items()})
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        size = min(int(request.headers["Prefer"].partition("=")[2]), self.page_cap)
        skip = int(request.query.get("$skip", 0))
        answer: dict[str, Any] = {"SqlText": text, "value": rows[skip : skip + size]}
        if skip + size < len(rows):  # the parameters are missing from it
            answer["odata.nextLink"] = f"SQLQueries('{code}')/List?&$skip={skip + size}"
        return web.json_response(answer)


def _value(text: str) -> Any:
    return text[1:-1].replace("''", "'") if text.startswith("'") else float(text) if "." in text else int(text)


@pytest.fixture
def queries(stub: Any) -> Iterator[Queries]:
    made = Queries()
    made.stub, stub.before = stub, made.answer
    yield made
    made.data.close()


def query(**changes: Any) -> dict[str, Any]:
    return {"statement": HEADER, "lines": {"statement": LINES}, "parameters": {"mark": "N"}, **changes}


def expected(keys: Any) -> list[dict[str, Any]]:
    return [
        {"DocEntry": key, "Name": f"d{key}", "Lines": [{"DocEntry": key, "LineNum": line} for line in (1, 0)]}
        for key in keys
    ]


@pytest.mark.parametrize("page_cap", [10_000, 3, 2])
@pytest.mark.parametrize("page_size", [2, 3, 50])
async def test_headers_with_lines_page_by_page(
    queries: Queries, connect: Any, call: Any, page_size: int, page_cap: int
) -> None:
    keys = [1, 2, 3, 5, 8, 900]
    queries.fill(keys)
    queries.fill([4, 500])
    queries.data.execute("UPDATE ODRF SET Mark = 'Y' WHERE DocEntry IN (4, 500)")
    queries.page_cap = page_cap
    assert await call(await connect(), "query", **query(page_size=page_size)) == expected(keys)


async def test_few_definitions_serve_every_page_and_every_run(queries: Queries, connect: Any, call: Any) -> None:
    queries.fill(range(1, 31))
    for _ in range(2):
        for mark in ("N", "it's"):
            found = await call(await connect(), "query", **query(page_size=4, parameters={"mark": mark}))
            assert found == (expected(range(1, 31)) if mark == "N" else [])
    assert queries.posted == len(queries.definitions) == 3
    assert all(re.fullmatch("b1i_[0-9a-f]{32}", code) for code in queries.definitions)
    assert not any("FROM (" in text for text in queries.definitions.values())
    assert any(given.get("mark") == "'it''s'" for _, given in queries.runs)


async def test_a_definition_that_another_process_made_or_deleted(queries: Queries, connect: Any, call: Any) -> None:
    queries.fill([1])
    assert await call(await connect(), "query", **query()) == expected([1])
    queries.hides_definitions = True  # made between our look and our POST
    connection = await connect()
    assert await call(connection, "query", **query()) == expected([1])
    queries.hides_definitions = False
    queries.definitions.clear()
    assert await call(connection, "query", **query()) == expected([1])


async def test_text_keys_and_a_row_read_again(queries: Queries, connect: Any) -> None:
    keys = ["a'1", "b 2", "物3"]
    queries.fill(keys)
    action = (await connect()).actions["query"]
    params = action.params.model_validate(query(page_size=2))
    rows = [row async for row in await action.run(params)]
    assert rows == expected(keys)
    assert params.source == "ODRF"
    assert await action.reread(params, rows[0]) == rows[0] | {"Mark": "N"}
    queries.data.execute("UPDATE ODRF SET Mark = 'Y'")
    assert await action.reread(params, rows[0]) is None


async def test_lines_whose_key_differs_in_case_only_are_not_guessed(queries: Queries, connect: Any, call: Any) -> None:
    queries.fill(["ab", "az"], lines=0)
    queries.data.execute("INSERT INTO DRF1 VALUES ('aZ', 1), ('az', 1), ('ay', 1)")
    queries.data.execute("UPDATE DRF1 SET DocEntry = 'aZ' WHERE DocEntry = 'ay'")
    queries.data.execute("UPDATE ODRF SET DocEntry = 'aA' WHERE DocEntry = 'ab'")
    with pytest.raises(BadMapping, match="differs from a header's key in case"):
        await call(await connect(), "query", **query())


@pytest.mark.parametrize(
    ("code", "said"),
    [("702", "b1s_sqltable.conf"), ("703", "ColumnExcludeList"), ("704", "parameters"), ("701", "plain SELECT only")],
)
async def test_refusals_are_explained(queries: Queries, connect: Any, call: Any, code: str, said: str) -> None:
    for style in ("v1", "v2", "mixed"):
        queries.refusal, queries.stub.error_style = (code, "what B1 said"), style
        with pytest.raises(BadMapping, match=said) as caught:
            await call(await connect(), "query", **query())
        assert (caught.value.code, caught.value.remote) == (code, "what B1 said")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"statement": 'SELECT "DocEntry" FROM ODRF GROUP BY "DocEntry"', "parameters": {}}, "b1.di_api or sql"),
        ({"statement": 'SELECT "DocEntry" FROM ODRF UNION SELECT 1', "parameters": {}}, "b1.di_api or sql"),
        ({"statement": "SELECT * FROM ODRF", "parameters": {}}, "has to be named in the statement"),
        ({"statement": "DELETE FROM ODRF"}, "may only read"),
        ({"lines": {"statement": 'SELECT "LineNum" FROM DRF1'}}, "no key column"),
    ],
)
async def test_what_cannot_be_paged_is_refused_before_anything_is_written(
    queries: Queries, connect: Any, call: Any, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadMapping, match=re.escape(said)):
        await call(await connect(), "query", **query(**changes))
    if "lines" not in changes:
        assert queries.posted == 0


@pytest.mark.parametrize("value", [None, True])
async def test_values_that_the_list_of_parameters_cannot_hold(
    queries: Queries, connect: Any, call: Any, value: Any
) -> None:
    with pytest.raises(ValueRefused, match="a text, a number or a date only"):
        await call(await connect(), "query", **query(parameters={"mark": value}))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "either entity"),
        ({"entity": "Drafts", "statement": HEADER}, "either entity"),
        ({"entity": "Drafts", "lines": {"statement": LINES}}, "lines cannot stand beside entity"),
        ({"statement": HEADER, "filter": "x eq 1"}, "filter cannot stand beside statement"),
    ],
)
async def test_either_an_entity_or_a_statement(connect: Any, params: dict[str, Any], said: str) -> None:
    action = (await connect()).actions["query"]
    with pytest.raises(ValidationError, match=said):
        action.params.model_validate(params)
    assert action.examine is not None
    if ("entity" in params) == ("statement" in params):
        assert said in action.examine(params)[0].en.lower()

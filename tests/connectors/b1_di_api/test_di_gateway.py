"""The DI gateway, against a small one that carries statements out on SQLite and answers as the guide shows."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.connectors.b1_di_api.connector import DiApiConnector
from runtime.connectors.b1_di_api.settings import DiSettings
from runtime.connectors.statements.dialects import DIALECTS
from runtime.errors import BadMapping, LoginRefused, RemoteFault

HEADER = 'SELECT T0."DocEntry", T0."Name" AS Title FROM ODRF T0 WHERE T0."Mark" = :mark'
LINES = 'SELECT "DocEntry", "ItemCode" FROM DRF1'


class Gateway:
    """Logs in, keeps sessions, runs statements; every oddity is a switch."""

    def __init__(self) -> None:
        self.url = ""
        self.sessions: set[str] = set()
        self.logins = 0
        self.statements: list[str] = []
        #: How a dead session is answered: a status, or a code in a good answer.
        self.dead: Any = 401
        self.row_limit = 10_000
        #: An answer instead of the rows.
        self.refusal: tuple[int, Any] | None = None
        self.cookies = True
        self.login_answer: tuple[int, Any] = (200, {"code": "RIS.10000000", "message": "OK"})
        self.data = sqlite3.connect(":memory:")
        self.data.executescript(
            "CREATE TABLE ODRF (DocEntry INT, Name TEXT, Mark TEXT); CREATE TABLE DRF1 (DocEntry INT, ItemCode TEXT);"
            "CREATE TABLE OITM (ItemCode TEXT);"
        )

    def fill(self, count: int, lines: int = 2) -> None:
        for key in range(1, count + 1):
            self.data.execute("INSERT INTO ODRF VALUES (?, ?, 'N')", (key, f"d{key}"))
            self.data.executemany("INSERT INTO DRF1 VALUES (?, ?)", [(key, f"i{line}") for line in range(lines)])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if request.path.endswith("/Login"):
            self.logins += 1
            status, answer = self.login_answer
            if body["Password"] != "manager":
                status, answer = 401, {"code": "RIS.40000001", "message": "用户或密码错误"}
            response = web.json_response(answer, status=status)
            if status == 200 and self.cookies:
                self.sessions = {f"s-{self.logins}"}
                response.set_cookie("B1DISESSION", f"s-{self.logins}")
            return response
        assert request.path.endswith("/b1dis/v1/exec-sql")
        if request.cookies.get("B1DISESSION") not in self.sessions:
            if self.dead == 401:
                return web.json_response({"code": "RIS.401", "message": "session"}, status=401)
            return web.json_response({"code": self.dead, "message": "Invalid session"})
        self.statements.append(body["Sql"])
        if self.refusal is not None:
            return web.json_response(self.refusal[1], status=self.refusal[0])
        return web.json_response({"code": "RIS.10000000", "message": "OK", "data": {"value": self.rows(body["Sql"])}})

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """HANA's statement on SQLite; names without quotes come back in capitals."""
        [tree] = DIALECTS["hana"].grammar.parse(sql)
        assert tree is not None
        found = self.data.execute(DIALECTS["sqlite"].text(tree))
        names = [column[0] if f'"{column[0]}"' in sql else column[0].upper() for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()][: self.row_limit]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.data.close()


Connect = Callable[..., Awaitable[DiApiConnector]]


@pytest_asyncio.fixture
async def connect(gateway: Gateway, serve: Callable[..., Awaitable[Any]]) -> AsyncIterator[Connect]:
    opened: list[DiApiConnector] = []

    async def start(**settings: Any) -> DiApiConnector:
        gateway.url = gateway.url or (await serve(gateway.handle)).url
        chosen = {"base_url": f"{gateway.url}/b1/b1dis/v1/", "company": "SBODEMOCN", "user": "manager", "rate": 10_000}
        chosen |= {"password": "manager", "retries": 0}
        opened.append(DiApiConnector("erp", DiSettings.model_validate(chosen | settings)))
        return opened[-1]

    yield start
    for connection in opened:
        await connection.aclose()


async def call(connection: DiApiConnector, name: str, /, **params: Any) -> Any:
    action = connection.actions[name]
    result = await action.run(action.params.model_validate(params))
    return [row async for row in result] if action.streams else result


def query(**changes: Any) -> dict[str, Any]:
    return {"statement": HEADER, "lines": {"statement": LINES}, "parameters": {"mark": "N"}, **changes}


@pytest.mark.parametrize("row_limit", [10_000, 10, 5, 2])
@pytest.mark.parametrize("page_size", [3, 100])
async def test_headers_and_lines_are_whole_whatever_the_gateway_cuts_off(
    gateway: Gateway, connect: Connect, row_limit: int, page_size: int
) -> None:
    gateway.fill(7)
    gateway.row_limit = row_limit
    rows = await call(await connect(), "query", **query(page_size=page_size))
    assert rows == [
        {"DocEntry": key, "Title": f"d{key}", "Lines": [{"DocEntry": key, "ItemCode": f"i{line}"} for line in (0, 1)]}
        for key in range(1, 8)
    ]


async def test_lines_that_the_gateway_cannot_give_whole_are_an_error(gateway: Gateway, connect: Connect) -> None:
    gateway.fill(1, lines=7)
    gateway.row_limit = 5
    with pytest.raises(RemoteFault, match="only 5 of 7 lines"):
        await call(await connect(), "query", **query())


async def test_a_row_is_read_again_with_what_the_filter_compares(gateway: Gateway, connect: Connect) -> None:
    gateway.fill(3)
    action = (await connect()).actions["query"]
    params = action.params.model_validate(query())
    row = [one async for one in await action.run(params)][1]
    assert action.reread is not None
    assert await action.reread(params, row) == row | {"Mark": "N"}
    gateway.data.execute("UPDATE ODRF SET Mark = 'Y' WHERE DocEntry = 2")
    assert await action.reread(params, row) is None


async def test_values_become_literals_and_nothing_else(gateway: Gateway, connect: Connect) -> None:
    gateway.fill(1)
    connection = await connect()
    for value in ("'; DROP TABLE ODRF; --", "' OR '1' = '1", "物料 \\' x", ":mark", "{0}"):
        assert await call(connection, "query", **query(parameters={"mark": value})) == []
        found = await call(connection, "exec_sql", sql="SELECT '{0}' AS \"v\" FROM ODRF", parameters=[value])
        assert found == [{"v": value}]
    assert await call(connection, "exec_sql", sql="SELECT COUNT(*) AS n FROM ODRF") == [{"N": 1}]


async def test_moments_become_iso_text_and_dates(gateway: Gateway, connect: Connect) -> None:
    sql = "SELECT '{0}' AS a, '{1}' AS b, '2026-01-31' AS c, '2026-01-31 x 00:00:00' AS d"
    moments = ["2026-01-31 00:00:00.000000000", "2026-01-31 08:05:00"]
    assert await call(await connect(), "exec_sql", sql=sql, parameters=moments) == [
        {"A": "2026-01-31", "B": "2026-01-31T08:05:00", "C": "2026-01-31", "D": "2026-01-31 x 00:00:00"}
    ]


@pytest.mark.parametrize(
    "sql", ["DELETE FROM ODRF", "SELECT 1 AS a; DROP TABLE ODRF", "CALL wipe()", "SELECT 1 INTO x"]
)
async def test_what_writes_is_never_sent(gateway: Gateway, connect: Connect, sql: str) -> None:
    with pytest.raises(BadMapping):
        await call(await connect(procedures="TMDK"), "exec_sql", sql=sql)
    assert gateway.statements == []
    assert gateway.logins == 0


@pytest.mark.parametrize("dead", [401, "301", "401"])
async def test_a_dead_session_is_renewed_once(gateway: Gateway, connect: Connect, dead: Any) -> None:
    gateway.dead = dead
    connection = await connect()
    for expected in (1, 2):
        assert await call(connection, "exec_sql", sql="SELECT 1 AS a") == [{"A": 1}]
        assert gateway.logins == expected
        gateway.sessions.clear()


async def test_whatever_is_not_a_list_of_rows_is_an_error(gateway: Gateway, connect: Connect) -> None:
    connection = await connect()
    for status, body, error, said in (
        (200, {"code": "RIS.30000001", "message": "invalid column"}, BadMapping, "RIS.30000001 invalid column"),
        (400, {"error": {"code": -1, "message": {"value": "syntax error"}}}, BadMapping, "-1 syntax error"),
        (500, {"code": "RIS.50000000", "message": "down"}, RemoteFault, "RIS.50000000 down"),
        (200, {"code": "RIS.10000000", "data": {}}, RemoteFault, "not a list of rows"),
        (200, ["nonsense"], RemoteFault, "not a list of rows"),
    ):
        gateway.refusal = (status, body)
        with pytest.raises(error, match=said):
            await call(connection, "exec_sql", sql="SELECT 1 AS a")


async def test_the_login_has_its_own_path_and_its_refusal_is_said(gateway: Gateway, connect: Connect) -> None:
    with pytest.raises(LoginRefused, match="用户或密码错误"):
        await (await connect(password="wrong")).test()
    gateway.cookies = False
    with pytest.raises(LoginRefused, match="no session cookie"):
        await (await connect()).test()
    gateway.cookies = True
    lines = (await (await connect(login_path="/diapi/v1/Login")).test()).lines
    assert any("exec-sql" in en for _, en in lines)
    gateway.login_answer = (200, {"code": "RIS.40000002", "message": "no such company"})
    with pytest.raises(LoginRefused, match="no such company"):
        await (await connect()).test()

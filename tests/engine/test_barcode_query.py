"""The template of the barcode application's queries: statements in, ``{code, message, data}`` out."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime.connectors.actions import Action, ActionParams, Effect, rows
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.settings import HttpSettings
from runtime.engine.engine import Engine
from runtime.engine.request import RunRequest
from runtime.errors import BadMapping, RemoteRefused
from runtime.mapping.check import check_mapping
from runtime.mapping.templates import gallery, instantiate

ROWS = [{"ItemCode": "R10001"}, {"ItemCode": "R10002"}]


class ExecSql(ActionParams):
    sql: str


class Statement(ActionParams):
    statement: str


class Database(Connector[HttpSettings]):
    """Answers every statement, but refuses those that name a table ``NONE``."""

    kind = "test.db"
    title_zh = title_en = "Test"
    settings_model = HttpSettings

    def define_actions(self) -> list[Action]:
        return [
            Action(name="exec_sql", effect=Effect.READ, params=ExecSql, zh="SQL", en="SQL", run=self.exec_sql),
            Action(
                name="query", effect=Effect.READ, params=Statement, zh="SQL", en="SQL", run=self.query, streams=True
            ),
        ]

    async def exec_sql(self, params: ExecSql) -> list[dict[str, Any]]:
        if "NONE" in params.sql:
            raise RemoteRefused("SQL 错误", "SQL error", code="260", remote="invalid table name: NONE")
        return [{**row, "From": self.name} for row in ROWS]

    async def query(self, params: Statement) -> Any:
        return rows(await self.exec_sql(ExecSql(sql=params.statement)))

    async def test(self) -> TestReport:
        return TestReport(lines=[])

    async def aclose(self) -> None:
        pass


class Pool:
    async def get(self, name: str) -> Connector[Any]:
        return Database(name, HttpSettings(base_url="http://127.0.0.1"))

    @asynccontextmanager
    async def lease(self) -> Any:
        yield self


TEMPLATE = next(template for template in gallery() if template.id == "barcode-query")
CHOICE = {"choose": "{{ request.body.company }}", "among": {"SBODEMOCN": "di-1", "SBODEMO2": "di-2"}, "default": "di-1"}


def new(connection: Any, **settings: Any) -> Any:
    connections = {"db": connection, "erp": "sl-1"}
    kinds = {"di-1": "b1.di_api", "di-2": "sql", "sl-1": "b1.service_layer"}
    return instantiate(
        TEMPLATE, id="scan", title="", connections=connections, settings={"company": "演示", **settings}, kinds=kinds
    )


async def answer(bench: Any, mapping: Any, flow: str, body: Any) -> Any:
    summary = await Engine(bench.db, Pool()).run(mapping, flow, RunRequest(cause="http", request={"body": body}))
    return summary.response.body if summary.response is not None else summary.error


@pytest.mark.parametrize(("flow", "source"), [("query", "di-1"), ("print", "sl-1")])
async def test_a_statement_is_answered_with_its_rows(bench, flow, source) -> None:
    mapping = new("di-1")
    assert check_mapping(mapping) == []
    got = await answer(bench, mapping, flow, {"sql": 'select "ItemCode" from OITM'})
    assert (got["code"], got["message"]) == (200, "OK")
    assert got["data"] == [{**row, "From": source} for row in ROWS]
    assert (await answer(bench, mapping, flow, {"sql": ""}))["code"] == 400
    failed = await answer(bench, mapping, flow, {"sql": "select * from NONE"})
    assert failed.remote == "invalid table name: NONE"
    told = mapping.flows[flow].trigger.http.on_error
    assert told.body["message"] == "{{ error.remote or error.message }}"


async def test_the_request_names_the_company(bench) -> None:
    got = await answer(bench, new(CHOICE), "query", {"sql": "x", "company": "SBODEMO2"})
    assert got["data"][0]["From"] == "di-2"
    assert (await answer(bench, new(CHOICE), "companies", {}))["data"] == ["SBODEMOCN", "SBODEMO2"]
    assert (await answer(bench, new("di-1"), "companies", {}))["data"] == ["演示"]


def test_each_mapping_has_an_address_of_its_own() -> None:
    mapping = new("di-1", address="/barcode/hk/")
    paths = [flow.trigger.http.path for flow in mapping.flows.values()]
    assert paths == [f"barcode/hk/{name}" for name in ("query", "print", "methods", "companies")]
    assert "address" not in mapping.settings
    with pytest.raises(BadMapping, match="is not an address"):
        new("di-1", address="条码 1")


def test_a_connection_of_another_kind_is_refused() -> None:
    assert TEMPLATE.connections == {"db": ("b1.di_api", "sql"), "erp": ("b1.service_layer",)}
    with pytest.raises(BadMapping, match=r"b1\.di_api or sql, but 'sl-1' is b1\.service_layer"):
        new("sl-1")
    with pytest.raises(BadMapping, match="'sl-1'"):
        new({**CHOICE, "among": {"a": "di-1", "b": "sl-1"}})

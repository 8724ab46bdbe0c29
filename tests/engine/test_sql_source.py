"""Documents read by SQL and written back over another connection: sent once, and again only when they were reset."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.connectors.sql.connector import SqlConnector
from runtime.connectors.sql.settings import SqlSettings
from runtime.engine.check import check_with_connections
from runtime.engine.engine import RunRequest
from runtime.engine.preview import preview
from runtime.errors import RemoteRefused
from runtime.store.listings import list_deliveries
from runtime.store.runs import list_run_documents

MANUAL = RunRequest(cause="manual")
WAITING = "SELECT DocEntry, Name, UserCode FROM ODRF WHERE IFNULL(U_ISSYN, 'N') = 'N'"
EVERY = "SELECT DocEntry, Name, UserCode FROM ODRF"
LINES = "SELECT DocEntry, ItemCode FROM DRF1"


class Drafts:
    """The company's database, and a mapping that submits its drafts."""

    def __init__(self, bench: Any, path: Path) -> None:
        self.bench = bench
        self.path = path
        self.execute(
            "CREATE TABLE ODRF (DocEntry INT, Name TEXT, UserCode TEXT, U_ISSYN TEXT, Instance TEXT)",
            "CREATE TABLE DRF1 (DocEntry INT, ItemCode TEXT)",
        )
        bench.world.after = self.written

    def execute(self, *statements: str) -> list[Any]:
        with sqlite3.connect(self.path) as line:
            found = [line.execute(statement).fetchall() for statement in statements][-1]
        line.close()
        return found

    def add(self, *keys: int) -> None:
        for key in keys:
            self.bench.world.add(key)
            self.execute(
                f"INSERT INTO ODRF VALUES ({key}, 'd{key}', 'u1', 'N', '')",
                f"INSERT INTO DRF1 VALUES ({key}, 'i{key}')",
            )

    def reset(self, key: int) -> None:
        """What B1's user does to have a draft submitted again."""
        self.bench.world.drafts[key]["U_ISSYN"] = "N"
        self.copy(key)

    def copy(self, key: int) -> None:
        """The database is a replica, which now shows what B1 holds."""
        row = self.bench.world.drafts[key]
        self.show(key, row["U_ISSYN"], row["Instance"])

    def show(self, key: int, mark: str, instance: str = "") -> None:
        """The database shows this, whatever B1 holds."""
        self.execute(f"UPDATE ODRF SET U_ISSYN = '{mark}', Instance = '{instance}' WHERE DocEntry = {key}")

    def written(self, called: str, params: Any) -> None:
        """The Service Layer writes into the same database."""
        if called == "erp.update":
            self.copy(params.key)

    def mapping(self, statement: str, **params: Any) -> Any:
        read = {"statement": statement, "lines": {"statement": LINES}, **params}
        items = {"to": "物料表", "from": "Lines", "fields": [{"to": "品号", "from": "ItemCode"}]}
        fields = [{"to": "名称", "from": "Name"}]
        steps: list[dict[str, Any]] = [
            {"id": "drafts", "call": "db.query", "with": read},
            {
                "each": "{{ drafts }}",
                "as": "draft",
                "key": "{{ draft.DocEntry }}",
                "steps": [
                    {"id": "form", "map": {"from": "{{ draft }}", "fields": fields, "tables": [items]}},
                    {
                        "id": "approval",
                        "call": "oa.create_approval",
                        "with": {"values": "{{ form }}", "originator": "{{ draft.UserCode }}"},
                    },
                    {
                        "call": "erp.update",
                        "with": {
                            "entity": "Drafts",
                            "key": "{{ draft.DocEntry }}",
                            "values": {"U_ISSYN": "Y", "Instance": "{{ approval.instance_id }}"},
                        },
                    },
                ],
            },
        ]
        mapping = self.bench.mapping(submit=steps)
        return mapping.model_copy(update={"connections": {**mapping.connections, "db": "db-1"}})

    async def run(self, statement: str, **params: Any) -> Any:
        self.bench.new_engine()
        return await self.bench.engine.run(self.mapping(statement, **params), "submit", MANUAL)

    @property
    def sent(self) -> int:
        return len(self.bench.world.approvals)


@pytest_asyncio.fixture
async def drafts(bench: Any, tmp_path: Path) -> AsyncIterator[Drafts]:
    path = tmp_path / "company.db"
    made = Drafts(bench, path)
    source = SqlConnector("db-1", SqlSettings.model_validate({"url": f"sqlite:///{path}"}))
    bench.pool.connectors["db-1"] = source
    yield made
    await source.aclose()


async def test_drafts_with_their_lines_are_sent_once(drafts) -> None:
    drafts.add(1, 2, 3)
    assert (await drafts.run(WAITING, page_size=1)).done == 3
    assert [approval["values"] for approval in drafts.bench.world.approvals.values()] == [
        {"名称": f"d{key}", "物料表": [{"品号": f"i{key}"}]} for key in (1, 2, 3)
    ]
    assert (await drafts.run(WAITING)).total == 0
    deliveries = drafts.bench.db.read(list_deliveries)
    assert {one.source.partition("#")[0] for one in deliveries} == {"db-1/ODRF"}
    assert {one.state for one in deliveries} == {"complete"}


async def test_a_draft_that_was_reset_is_sent_again_although_the_statement_does_not_select_the_mark(drafts) -> None:
    drafts.add(1)
    for round_ in (1, 2, 3):
        assert (await drafts.run(WAITING)).done == 1
        assert drafts.sent == round_
        assert drafts.execute("SELECT U_ISSYN, Instance FROM ODRF") == [("Y", f"i{round_}")]
        drafts.reset(1)


async def test_other_columns_make_no_other_documents(drafts) -> None:
    drafts.add(1, 2)
    assert (await drafts.run(WAITING)).done == 2
    for statement in (
        EVERY,
        'SELECT T0."DocEntry", T0."Name", UserCode, U_ISSYN FROM "ODRF" T0 ORDER BY 2 DESC',
        "WITH w AS (SELECT * FROM odrf) SELECT * FROM w",
    ):
        summary = await drafts.run(statement)
        assert (summary.state, summary.skipped) == ("succeeded", 2)
        assert "does not exclude delivered documents" in summary.note or "does not read" in summary.note
    assert drafts.sent == 2


async def test_without_a_filter_on_the_mark_only_its_value_shows_a_resubmission(drafts) -> None:
    drafts.add(1)
    with_mark = "SELECT DocEntry, Name, UserCode, U_ISSYN FROM ODRF"
    assert (await drafts.run(with_mark)).done == 1
    assert (await drafts.run(with_mark)).skipped == 1
    drafts.reset(1)
    assert (await drafts.run(EVERY)).skipped == 1
    assert (await drafts.run(with_mark)).done == 1
    assert drafts.sent == 2


async def test_a_write_back_that_failed_is_finished_without_a_second_approval(drafts) -> None:
    drafts.add(1)

    def refuse(called: str, _params: Any) -> None:
        if called == "erp.update":
            raise RemoteRefused("没有这个字段", "There is no such field")

    drafts.bench.world.before = refuse
    assert (await drafts.run(WAITING)).failed == 1
    drafts.bench.world.before = lambda _name, _params: None
    assert (await drafts.run(WAITING)).done == 1
    assert drafts.sent == 1
    assert drafts.execute("SELECT U_ISSYN, Instance FROM ODRF") == [("Y", "i1")]


async def test_a_replica_that_is_behind_makes_no_second_approval(drafts) -> None:
    drafts.add(1, 2)
    drafts.bench.world.after = lambda _name, _params: None
    assert (await drafts.run(WAITING)).done == 2
    for statement in (WAITING, "SELECT DocEntry, Name, UserCode, U_ISSYN FROM ODRF"):
        summary = await drafts.run(statement)
        assert (summary.state, summary.skipped, drafts.sent) == ("succeeded", 2, 2)
        assert "the source is out of date" in summary.note
    drafts.copy(1)
    del drafts.bench.world.drafts[2]
    assert (await drafts.run(WAITING)).skipped == 1
    drafts.reset(1)
    assert (await drafts.run(WAITING)).done == 1
    assert drafts.sent == 3


async def test_a_replica_that_falls_back_makes_no_second_approval(drafts) -> None:
    drafts.add(1)
    assert (await drafts.run(WAITING)).done == 1
    assert (await drafts.run(WAITING)).total == 0
    drafts.show(1, "N")
    summary = await drafts.run(WAITING)
    assert (summary.skipped, drafts.sent) == (1, 1)
    drafts.reset(1)
    assert (await drafts.run(WAITING)).done == 1
    assert drafts.sent == 2


async def test_a_row_that_another_run_delivered_meanwhile_is_not_sent_from_its_old_state(drafts) -> None:
    drafts.add(1, 2)
    inner: list[Any] = []
    engine = drafts.bench.engine

    async def overtaken(called: str) -> None:
        if called == "oa.create_approval" and not inner:
            inner.append(None)
            only = RunRequest(cause="manual", only="2")
            inner.append(await engine.run(drafts.mapping(WAITING), "submit", only))

    act = drafts.bench.world.act

    async def acting(name: str, params: Any, change: Any) -> Any:
        await overtaken(name)
        return await act(name, params, change)

    drafts.bench.world.act = acting
    summary = await engine.run(drafts.mapping(WAITING), "submit", MANUAL)
    assert (summary.done, summary.skipped, inner[1].done) == (1, 1, 1)
    assert drafts.sent == 2
    [skipped] = [
        one
        for one in drafts.bench.db.read(lambda state: list_run_documents(state, summary.run_id))
        if one.state == "skipped"
    ]
    assert "no longer waits" in skipped.note


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT DocEntry, Name FROM ODRF; DELETE FROM ODRF", "One statement is allowed"),
        ("DELETE FROM ODRF", "may only read"),
        ("SELECT Name, UserCode FROM ODRF", "no key column DocEntry"),
        ("SELECT DocEntry, Name, UserCode FROM ODRF WHERE Name = '{{ drafts }}'", "cannot be pasted"),
        ("SELECT DocEntry, Name FROM ODRF WHERE Name = :name", "parameter name is not given"),
    ],
)
async def test_a_statement_that_is_wrong_is_found_by_the_check_and_ends_the_run_before_its_first_step(
    drafts, statement, said
) -> None:
    drafts.add(1)
    mapping = drafts.mapping(statement)
    [problem] = [one for one in await check_with_connections(mapping, drafts.bench.pool) if said in one.en]
    assert problem.where.startswith("flows.submit.steps[0].with.")
    summary = await drafts.bench.engine.run(mapping, "submit", MANUAL)
    assert summary.state == "failed"
    assert drafts.sent == 0
    assert drafts.execute("SELECT COUNT(*) FROM ODRF") == [(1,)]


async def test_rows_that_are_wrong_end_the_run_with_nothing_sent(drafts) -> None:
    drafts.add(1, 2)
    for statement, said in (
        ("SELECT DocEntry, Name, UserCode FROM ODRF UNION ALL SELECT 2, 'x', 'y'", "more than once"),
        ("SELECT NULL AS DocEntry, Name, UserCode FROM ODRF", "no value in its key"),
    ):
        summary = await drafts.run(statement)
        assert summary.state == "failed"
        assert summary.error is not None
        assert said in summary.error.en
    assert drafts.sent == 0


async def test_settings_may_stand_in_a_statement_and_a_preview_shows_what_would_be_sent(drafts) -> None:
    drafts.add(1, 2, 3)
    statement = "SELECT DocEntry, Name, UserCode FROM ODRF WHERE IFNULL({{ settings.mark }}, 'N') = :open"
    mapping = drafts.mapping(statement, parameters={"open": "N"}, top=2)
    mapping = mapping.model_copy(update={"settings": {"mark": "U_ISSYN"}})
    assert await check_with_connections(mapping, drafts.bench.pool) == []
    shown = await preview(mapping, "submit", drafts.bench.pool, ledger=drafts.bench.db)
    assert [document.key for document in shown.documents] == ["1", "2"]
    assert shown.documents[0].sent[0].request.body == {"名称": "d1", "物料表": [{"品号": "i1"}]}
    assert drafts.sent == 0

"""A small world for the engine: an ERP with drafts, an OA with approvals, and every fault that a test may want."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from runtime.connectors.actions import Action, ActionParams, Effect, Finding, Intent, Reconciliation, WireRequest
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.settings import HttpSettings
from runtime.engine.engine import Engine
from runtime.errors import NotFound
from runtime.mapping.models import Mapping
from runtime.store.database import Database

Hook = Callable[[str, Any], None]


class QueryParams(ActionParams):
    entity: str
    filter: str = ""


class FindParams(ActionParams):
    entity: str
    key: Any = None
    instance: str = ""


class UpdateParams(ActionParams):
    entity: str
    key: Any
    values: dict[str, Any]


class CreateParams(ActionParams):
    form: str = ""
    values: Any
    originator: str


class InstanceParams(ActionParams):
    instance_id: str


class CommentParams(ActionParams):
    text: str


class World:
    """What the other systems hold, and what happened to them."""

    def __init__(self) -> None:
        self.drafts: dict[int, dict[str, Any]] = {}
        #: Instance id → {"values", "originator"}.
        self.approvals: dict[str, dict[str, Any]] = {}
        self.comments: list[str] = []
        self.calls: list[str] = []
        #: Called before and after an effect takes place; may raise.
        self.before: Hook = lambda _name, _params: None
        self.after: Hook = lambda _name, _params: None
        #: Whether the ERP's query leaves marked drafts out.
        self.excludes_marked = True
        #: What reconciliation answers instead of the truth.
        self.finding: Finding | None = None
        self.in_flight = 0
        self.most_in_flight = 0

    def add(self, *keys: int, **fields: Any) -> None:
        for key in keys:
            self.drafts[key] = {"DocEntry": key, "Mark": "N", "Instance": "", "User": "u1", "Name": f"d{key}", **fields}

    async def act(self, name: str, params: Any, change: Callable[[], Any]) -> Any:
        self.calls.append(name)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            self.before(name, params)
            result = change()
            self.after(name, params)
            await asyncio.sleep(0)
            return result
        finally:
            self.in_flight -= 1

    def count(self, name: str) -> int:
        return self.calls.count(name)

    def connectors(self) -> dict[str, Connector[Any]]:
        return {"erp-1": Erp(self, "erp-1"), "oa-1": Oa(self, "oa-1"), "erp-2": Erp(self, "erp-2")}


class Fake(Connector[HttpSettings]):
    settings_model = HttpSettings

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.closed = False
        super().__init__(name, HttpSettings(base_url="http://127.0.0.1"))

    async def test(self) -> TestReport:
        self.world.calls.append(f"{self.name}.test")
        self.world.before(f"{self.name}.test", None)
        return TestReport(lines=[])

    async def aclose(self) -> None:
        self.closed = True


class Erp(Fake):
    kind = "test.erp"
    title_zh = "测试 ERP"
    title_en = "Test ERP"

    def define_actions(self) -> list[Action]:
        return [
            Action(
                name="query", effect=Effect.READ, params=QueryParams, zh="查询", en="Query", run=self.query,
                streams=True, reread=self.reread,
            ),
            Action(
                name="slow_query", effect=Effect.READ, params=QueryParams, zh="查询", en="Query", run=self.query,
                streams=True,
            ),
            Action(name="find", effect=Effect.READ, params=FindParams, zh="查找", en="Find", run=self.find),
            Action(
                name="update", effect=Effect.UPDATE, params=UpdateParams, zh="更新", en="Update", run=self.update,
                prepare=self.prepare_update, read_back=self.read_back,
            ),
        ]  # fmt: skip

    def _waiting(self, row: dict[str, Any]) -> bool:
        return bool(row["Mark"] == "N") or not self.world.excludes_marked

    async def query(self, params: QueryParams) -> AsyncIterator[dict[str, Any]]:
        self.world.calls.append("erp.query")
        self.world.before("erp.query", params)
        keys = sorted(key for key, row in self.world.drafts.items() if self._waiting(row))

        async def stream() -> AsyncIterator[dict[str, Any]]:
            for key in keys:
                await asyncio.sleep(0)
                self.world.before("erp.query.row", key)
                if key in self.world.drafts:
                    yield dict(self.world.drafts[key])

        return stream()

    async def reread(self, params: QueryParams, row: Any) -> dict[str, Any] | None:
        self.world.calls.append("erp.reread")
        found = self.world.drafts.get(row["DocEntry"])
        return dict(found) if found is not None and self._waiting(found) else None

    async def find(self, params: FindParams) -> dict[str, Any] | None:
        self.world.calls.append("erp.find")
        self.world.before("erp.find", params)
        for row in self.world.drafts.values():
            if row["DocEntry"] == params.key or (params.key is None and row["Instance"] == params.instance != ""):
                return dict(row)
        return None

    async def update(self, params: UpdateParams) -> None:
        def change() -> None:
            if params.key not in self.world.drafts:
                raise NotFound("没有这张单据", "There is no such draft", code="-2028")
            self.world.drafts[params.key].update(params.values)

        await self.world.act("erp.update", params, change)

    async def read_back(self, params: UpdateParams) -> dict[str, Any] | None:
        self.world.calls.append("erp.read_back")
        row = self.world.drafts.get(params.key)
        return None if row is None else {name: row[name] for name in params.values if name in row}

    async def prepare_update(self, params: UpdateParams) -> WireRequest:
        return WireRequest(method="PATCH", url=f"http://erp/{params.entity}({params.key})", body=params.values)


class Oa(Fake):
    kind = "test.oa"
    title_zh = "测试 OA"
    title_en = "Test OA"
    has_callback = True

    def define_actions(self) -> list[Action]:
        return [
            Action(
                name="create_approval", effect=Effect.CREATE, params=CreateParams, zh="发起审批", en="Create approval",
                run=self.create, prepare=self.prepare_create, reconcile=self.reconcile,
            ),
            Action(
                name="get_approval", effect=Effect.READ, params=InstanceParams, zh="查审批", en="Get approval",
                run=self.get,
            ),
            Action(
                name="comment", effect=Effect.CREATE, params=CommentParams, zh="评论", en="Comment", run=self.comment,
                prepare=self.prepare_comment, reconcile=self.no_idea,
            ),
            Action(
                name="remind", effect=Effect.UPDATE, params=CommentParams, zh="催办", en="Remind", run=self.remind,
                prepare=self.prepare_comment,
            ),
        ]  # fmt: skip

    async def create(self, params: CreateParams) -> dict[str, Any]:
        def change() -> dict[str, Any]:
            instance = f"i{len(self.world.approvals) + 1}"
            self.world.approvals[instance] = {"values": dict(params.values), "originator": params.originator}
            return {"instance_id": instance}

        result: dict[str, Any] = await self.world.act("oa.create_approval", params, change)
        return result

    async def prepare_create(self, params: CreateParams) -> WireRequest:
        return WireRequest(method="POST", url="http://oa/approvals", body=dict(params.values))

    async def reconcile(self, params: CreateParams, intent: Intent) -> Reconciliation:
        self.world.calls.append("oa.reconcile")
        self.world.before("oa.reconcile", params)
        if self.world.finding is Finding.UNCLEAR:
            return Reconciliation(finding=Finding.UNCLEAR, reason_zh="查不清", reason_en="cannot tell")
        wanted = {"values": dict(params.values), "originator": params.originator}
        for instance, approval in self.world.approvals.items():
            if approval == wanted and instance not in intent.taken and self.world.finding is None:
                return Reconciliation(finding=Finding.FOUND, result={"instance_id": instance})
        return Reconciliation(finding=Finding.ABSENT)

    async def get(self, params: InstanceParams) -> dict[str, Any]:
        self.world.calls.append("oa.get_approval")
        return {"instance_id": params.instance_id, **self.world.approvals[params.instance_id]}

    async def comment(self, params: CommentParams) -> dict[str, Any]:
        def change() -> dict[str, Any]:
            self.world.comments.append(params.text)
            return {"number": len(self.world.comments)}

        result: dict[str, Any] = await self.world.act("oa.comment", params, change)
        return result

    async def remind(self, params: CommentParams) -> None:
        await self.world.act("oa.remind", params, lambda: None)

    async def prepare_comment(self, params: CommentParams) -> WireRequest:
        return WireRequest(method="POST", url="http://oa/comments", body={"text": params.text})

    async def no_idea(self, params: CommentParams, intent: Intent) -> Reconciliation:
        return Reconciliation(finding=Finding.UNCLEAR, reason_zh="无法得知", reason_en="no way to tell")


class FakePool:
    """Hands out the world's connectors."""

    def __init__(self, world: World) -> None:
        self.connectors = world.connectors()

    async def get(self, name: str) -> Connector[Any]:
        return self.connectors[name]

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[FakePool]:
        yield self


#: The main job in small: drafts become approvals, are marked; the verdict comes back.
SUBMIT: list[dict[str, Any]] = [
    {"id": "drafts", "call": "erp.query", "with": {"entity": "Drafts", "filter": "Mark eq 'N'"}},
    {
        "each": "{{ drafts }}",
        "as": "draft",
        "key": "{{ draft.DocEntry }}",
        "concurrency": 4,
        "steps": [
            {"id": "form", "map": {"from": "{{ draft }}", "fields": [{"to": "名称", "from": "Name"}]}},
            {
                "id": "approval",
                "call": "oa.create_approval",
                "with": {"values": "{{ form }}", "originator": "{{ draft.User }}"},
            },
            {
                "call": "erp.update",
                "with": {
                    "entity": "Drafts",
                    "key": "{{ draft.DocEntry }}",
                    "values": {"Mark": "Y", "Instance": "{{ approval.instance_id }}"},
                },
            },
        ],
    },
]
VERDICT: list[dict[str, Any]] = [
    {"id": "draft", "call": "erp.find", "with": {"entity": "Drafts", "key": "{{ event.document }}"}},
    {"if": "{{ not draft }}", "then": [{"stop": "no draft carries this approval"}]},
    {
        "call": "erp.update",
        "with": {"entity": "Drafts", "key": "{{ draft.DocEntry }}", "values": {"Status": "{{ event.outcome }}"}},
    },
]


def make_mapping(**flows: list[dict[str, Any]]) -> Mapping:
    """A mapping with these flows; ``verdict…`` waits for events, ``inbound`` for requests, all others are manual."""

    def trigger(name: str) -> dict[str, Any]:
        if name.startswith("verdict"):
            return {"event": {"connection": "oa", "type": "approval.finished"}}
        return {"http": {"path": name}} if name == "inbound" else {"manual": {}}

    return Mapping.model_validate(
        {
            "format": 1,
            "id": "demo",
            "connections": {"erp": "erp-1", "oa": "oa-1"},
            "settings": {"mark": "Mark"},
            "flows": {name: {"trigger": trigger(name), "steps": steps} for name, steps in flows.items()},
        }
    )


class Bench:
    """Everything that an engine test needs in one place."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.closed = False
        self.world = World()
        self.pool = FakePool(self.world)
        self.db = Database.open(url)
        self.engine = self.new_engine()

    def close(self) -> None:
        """The end of it; its state may be another one's from now on."""
        self.closed = True
        self.db.close()

    submit_steps = SUBMIT
    verdict_steps = VERDICT

    def submit_with(self, step: dict[str, Any]) -> list[dict[str, Any]]:
        """The steps of ``submit`` with one more between the approval and the write-back."""
        rows, each = self.submit_steps
        return [rows, {**each, "steps": [*each["steps"][:2], step, each["steps"][2]]}]

    def new_engine(self, settle: timedelta = timedelta(0)) -> Engine:
        """A new engine on the same state, as after a restart; with no settling time unless told."""
        self.engine = Engine(self.db, self.pool, settle=settle)
        return self.engine

    def mapping(self, **flows: list[dict[str, Any]]) -> Mapping:
        return make_mapping(**(flows or {"submit": SUBMIT, "verdict": VERDICT}))


@pytest.fixture
def new_bench(request: pytest.FixtureRequest, new_state: Callable[[], str]) -> Iterator[Callable[[], Bench]]:
    """Makes benches, each with a state of its own: on SQLite, and then on PostgreSQL."""
    made: list[Bench] = []

    def state() -> str:
        url = made[-1].url if made and made[-1].closed else ""
        if not url.startswith("postgresql"):
            return new_state()
        request.getfixturevalue("postgres_server").empty(url)
        return url

    def make() -> Bench:
        bench = Bench(state())
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.db.close()


@pytest.fixture
def histories(request: pytest.FixtureRequest) -> int:
    """How many histories a state machine goes through. The rules are the same on both databases, and one on PostgreSQL
    takes several times as long: there fewer show that its statements keep them, too."""
    return 20 if request.node.callspec.params["new_state"] == "sqlite" else 8


@pytest.fixture
def bench(new_bench: Callable[[], Bench]) -> Bench:
    return new_bench()

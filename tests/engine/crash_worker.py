"""One life of a runtime, for the crash test: submits the drafts of a world kept in files, and dies where it is told.

usage: crash_worker.py FOLDER POINT NTH STATE    (POINT: intent, create, created, result, update, updated, end or none)
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from runtime.connectors.actions import Action, ActionParams, Effect, Finding, Intent, Reconciliation, WireRequest
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.settings import HttpSettings
from runtime.engine.engine import Engine, RunRequest
from runtime.mapping.models import Mapping
from runtime.store.database import Database

FOLDER, POINT, NTH = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])


class Killer:
    """Ends this process without a word at the n-th passing of a point."""

    def __init__(self) -> None:
        self.left = NTH

    def at(self, point: str) -> None:
        if point == POINT:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


KILLER = Killer()


class Params(ActionParams):
    key: int = 0
    instance: str = ""


class Files(Connector[HttpSettings]):
    """Drafts and approvals are files: they outlive the process, as the other systems do."""

    kind = "test.files"
    title_zh = title_en = "files"
    settings_model = HttpSettings

    def define_actions(self) -> list[Action]:
        def action(name: str, effect: Effect, run: Any, **more: Any) -> Action:
            return Action(name=name, effect=effect, params=Params, zh=name, en=name, run=run, **more)

        return [
            action("query", Effect.READ, self.query, streams=True),
            action("create", Effect.CREATE, self.create, prepare=self.prepare, reconcile=self.reconcile),
            action("update", Effect.UPDATE, self.update, prepare=self.prepare),
        ]

    async def query(self, params: Params) -> AsyncIterator[dict[str, Any]]:
        async def stream() -> AsyncIterator[dict[str, Any]]:
            for file in sorted((FOLDER / "drafts").iterdir()):
                if json.loads(file.read_text())["mark"] == "N":
                    yield {"key": int(file.name)}

        return stream()

    async def create(self, params: Params) -> dict[str, Any]:
        KILLER.at("create")
        number = len(list((FOLDER / "approvals").iterdir())) + 1
        (FOLDER / "approvals" / f"i{number}").write_text(str(params.key))
        KILLER.at("created")
        return {"instance_id": f"i{number}"}

    async def update(self, params: Params) -> None:
        KILLER.at("update")
        (FOLDER / "drafts" / str(params.key)).write_text(json.dumps({"mark": "Y", "instance": params.instance}))
        KILLER.at("updated")

    async def prepare(self, params: Params) -> WireRequest:
        return WireRequest(method="POST", url="file://")

    async def reconcile(self, params: Params, intent: Intent) -> Reconciliation:
        for file in (FOLDER / "approvals").iterdir():
            if file.read_text() == str(params.key):
                return Reconciliation(finding=Finding.FOUND, result={"instance_id": file.name})
        return Reconciliation(finding=Finding.ABSENT)

    async def test(self) -> TestReport:
        return TestReport(lines=[])

    async def aclose(self) -> None:
        """Nothing is open."""


class Pool:
    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Pool]:
        yield self

    async def get(self, name: str) -> Connector[Any]:
        return Files(name, HttpSettings(base_url="http://127.0.0.1"))


class Watched(Database):
    """Dies around commits: before an intent, or between an answer and its record."""

    def begin_write(self, work: Any) -> Any:
        states = {one.state for one in getattr(work, "effects", ()) if one.effect == "create"}
        if "intent" in states:
            KILLER.at("intent")
        if "done" in states:
            KILLER.at("result")
        return super().begin_write(work)


MAPPING = Mapping.model_validate(
    {
        "id": "crash",
        "connections": {"x": "files"},
        "flows": {
            "submit": {
                "trigger": {"manual": {}},
                "steps": [
                    {"id": "drafts", "call": "x.query"},
                    {
                        "each": "{{ drafts }}", "as": "d", "key": "d.key", "concurrency": 3,
                        "steps": [
                            {"id": "approval", "call": "x.create", "with": {"key": "{{ d.key }}"}},
                            {"call": "x.update",
                             "with": {"key": "{{ d.key }}", "instance": "{{ approval.instance_id }}"}},
                        ],
                    },
                ],
            }
        },
    }
)  # fmt: skip


async def main() -> None:
    db = Watched.open(sys.argv[4])
    with db.claim_runtime("crash test"):
        engine = Engine(db, Pool(), settle=timedelta(0))
        summary = await engine.run(MAPPING, "submit", RunRequest(cause="manual"))
        KILLER.at("end")
        print(json.dumps({"state": summary.state, "done": summary.done}))
    db.close()


asyncio.run(main())

"""Records that the other system refuses for good: the ones behind them get their turn, and people are told once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runtime.sandbox import demo
from runtime.store.runs import list_run_documents, list_runs
from tests.service.gallery import install

pytestmark = [pytest.mark.acceptance]

#: Their names are empty, which the OA does not take, and they come before all others.
NAMELESS = ("A0001", "A0002", "A0003")
ROLES = {"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION}
OFTEN = {"period": "1s", "page_size": 2}
ITEM = {"fields": [{"to": "wlbm", "from": "ItemCode"}, {"to": "wlmc", "from": "ItemName"}]}
DRAFT = {
    "fields": [
        {"to": "djbh", "from": "DocEntry"},
        {"to": "sqr", "from": "U_OAUserID"},
        {"to": "sqrq", "from": "DocDate", "through": ["date"]},
        {"to": "qgdb", "value": "2"},
    ]
}


class Robot:
    """An alert robot; keeps what it was told."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        texts = self.texts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                texts.append(json.loads(body)["text"]["content"])
                answer = b'{"errcode": 0, "errmsg": "ok"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: Any) -> None:
                """Nothing goes to the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/robot"

    def lines(self, mark: str, about: str) -> list[str]:
        return [line for text in self.texts for line in text.splitlines() if line.startswith(mark) and about in line]


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    robot = Robot()
    yield robot
    robot.server.shutdown()
    robot.server.server_close()


@pytest.fixture(scope="module")
def runtime(module_desk: Any, sandbox: Any, robot: Robot) -> Any:
    module_desk.import_connections(weaver_demo=sandbox.control("GET", "/weaver/registration"))
    return module_desk.serve(env={"B1_ALERT_URL": robot.url, "B1_ALERT_KIND": "dingtalk"})


def runs_of(desk: Any, name: str) -> list[Any]:
    return list(desk.read(lambda connection: list_runs(connection, mapping=name, limit=1000)))


def test_a_page_of_refused_records_does_not_hold_up_the_others(
    runtime: Any, module_desk: Any, sandbox: Any, robot: Robot, eventually: Any
) -> None:
    for code in NAMELESS:
        sandbox.b1("/Items", method="POST", body={"ItemCode": code, "ItemName": "", "U_SYN": "N"})
    settings = {"interface": "saveItem", "key_fields": "wlbm", "mark": "U_SYN", **OFTEN}
    install(module_desk, "weaver-master-data", "items", ROLES, ITEM, **settings)

    def unmarked() -> set[str]:
        rows = sandbox.b1("/Items?$select=ItemCode,U_SYN&$top=1000")["value"]
        return {row["ItemCode"] for row in rows if row["U_SYN"] != "Y"}

    eventually(lambda: unmarked() == set(NAMELESS), what="everything but the refused records is marked")
    seen = len(runs_of(module_desk, "items"))
    eventually(lambda: len(runs_of(module_desk, "items")) > seen + 3, what="it is tried again and again")
    [told] = robot.lines("✗", "items/send")
    assert "张单据失败" in told
    newest = next(run for run in runs_of(module_desk, "items") if run.state not in ("running", "queued"))
    assert newest.failed == len(NAMELESS)
    documents = module_desk.read(lambda connection: list_run_documents(connection, newest.id))
    failed = [str(one.error) for one in documents if one.state == "failed"]
    assert all(any(code in one and "必填字段为空" in one for one in failed) for code in NAMELESS), failed
    # Repaired in B1 they get through, and people hear that it is over.
    for code in NAMELESS:
        sandbox.b1(f"/Items('{code}')", method="PATCH", body={"ItemName": f"物料 {code}"})
    eventually(lambda: not unmarked(), what="the repaired records are marked")
    eventually(lambda: robot.lines("✓", "items/send"), what="people are told that it is over")
    saved = [record["wlbm"] for record in sandbox.control("GET", "/weaver/mode/saveItem")["records"]]
    assert len(saved) == len(set(saved))


def test_a_page_of_refused_drafts_does_not_hold_up_the_others(
    runtime: Any, module_desk: Any, sandbox: Any, robot: Robot, eventually: Any
) -> None:
    waiting = sorted(row["DocEntry"] for row in sandbox.unsynced())
    refused = waiting[:3]
    for entry in refused:
        sandbox.b1(f"/Drafts({entry})", method="PATCH", body={"U_OAUserID": "424242"})
    settings = {"workflow": demo.WEAVER_WORKFLOW, "key_field": "djbh", **OFTEN}
    install(module_desk, "weaver-approval-odata", "drafts", ROLES, DRAFT, **settings)

    def unsynced() -> list[int]:
        return sorted(row["DocEntry"] for row in sandbox.unsynced())

    eventually(lambda: unsynced() == refused, what="everything but the refused drafts is sent")
    eventually(lambda: robot.lines("✗", "drafts/submit"), what="people are told")
    assert len(waiting) > len(refused) + 2

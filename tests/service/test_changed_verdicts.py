"""Verdicts that change: agreed, refused, agreed again. The last one stands in B1, and a repetition has no effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

from runtime.connectors.events import Event, Outcome
from runtime.connectors.registry import open_connector
from runtime.engine.verdict import confirm_change
from runtime.errors import CallbackRejected, IntegrationError, RetryLater
from runtime.sandbox import demo
from runtime.store.inbox import list_events
from tests.service.gallery import create

pytestmark = [pytest.mark.acceptance]

UNASKED, ASKED = "unasked", "asked"
#: Of requests that nobody asks the OA about.
NUMBERS = count(700_001)
Post = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def oa(module_desk: Any, sandbox: Any) -> dict[str, Any]:
    """The connection to an OA that can be asked."""
    registered = sandbox.control("GET", "/weaver/registration")
    connections = module_desk.connections(weaver_demo={**registered, "outcome_source": "none"})
    asked: dict[str, Any] = module_desk.connections()[demo.WEAVER_CONNECTION] | registered
    file = module_desk.folder / "connections.json"
    file.write_text(json.dumps(connections | {"weaver-asked": asked}), "utf-8")
    assert module_desk.command("connections", "import", str(file)).returncode == 0
    return asked


@pytest.fixture(scope="module")
def post(module_desk: Any, oa: dict[str, Any]) -> Post:
    """A live runtime; ``post(mapping, **body)`` is what the OA's node action sends, and the answer to it.

    ``key`` is its Idempotency-Key.
    """
    for name, connection in ((UNASKED, demo.WEAVER_CONNECTION), (ASKED, "weaver-asked")):
        roles = {"erp": demo.B1_CONNECTION, "oa": connection}
        settings = {"workflow": demo.WEAVER_WORKFLOW, "decision": "field", "period": "1M"}
        mapping = create(module_desk, "weaver-approval-odata", name, roles, **settings)
        module_desk.save(mapping | {"enabled": True})
    address = module_desk.serve().address()
    listed = module_desk.command("appcodes", "list").stdout
    codes = {line.split("/")[0]: line.split()[-1] for line in listed.splitlines() if "/verdict" in line}

    def send(mapping: str = UNASKED, *, key: str = "", **body: Any) -> dict[str, Any]:
        url, headers = f"{address}/flows/{mapping}/verdict", {"X-Apig-AppCode": codes[mapping], "Idempotency-Key": key}
        answer = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return send


class Document:
    """A draft that carries a request's number."""

    def __init__(self, sandbox: Any, desk: Any, request: str) -> None:
        [entry] = sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})["entries"]
        self.request = request
        self._sandbox, self._desk = sandbox, desk
        self._path = f"/Drafts({entry})"
        sandbox.b1(self._path, method="PATCH", body={"U_REQUESTID": request, "U_ISSYN": "Y"})

    @property
    def verdict(self) -> str:
        return str(self._sandbox.b1(self._path)["U_SUCCESS"])

    @property
    def approver(self) -> str:
        return str(self._sandbox.b1(self._path)["U_Approver"])

    def events(self, *states: str) -> list[Any]:
        """What the inbox holds about it, newest first."""
        found: list[Any] = self._desk.read(
            lambda connection: list_events(connection, instance_id=self.request, states=states)
        )
        return found


@pytest.fixture
def order(post: Post, sandbox: Any, module_desk: Any) -> Document:
    return Document(sandbox, module_desk, str(next(NUMBERS)))


@pytest.fixture
def request_in_the_oa(post: Post, sandbox: Any, module_desk: Any, oa: dict[str, Any]) -> Document:
    """A document whose request exists, so that the OA can be asked about it."""

    async def start() -> str:
        connector = open_connector("oa", oa)
        action = connector.actions["create_approval"]
        values = {"djbh": "1", "sqr": str(demo.WEAVER_APPROVER), "sqrq": "2026-11-25", "qgdb": "2"}
        form = str(demo.WEAVER_WORKFLOW)
        try:
            made = await action.run(action.params.model_validate({"form": form, "values": values, "title": "t"}))
        finally:
            await connector.aclose()
        return str(made["instance_id"])

    return Document(sandbox, module_desk, asyncio.run(start()))


def test_a_verdict_that_comes_back_is_written_again(post: Post, order: Document) -> None:
    for status, approver in (("Y", "甲"), ("N", "乙"), ("Y", "丙"), ("N", "丁")):
        assert post(requestid=order.request, status=status, approver=approver)["flag"] == "Y"
        assert (order.verdict, order.approver) == (status, approver)


def test_a_report_of_what_stands_has_no_effect(post: Post, order: Document) -> None:
    for status, approver in (("Y", "甲"), ("N", "乙"), ("Y", "丙")):
        post(requestid=order.request, status=status, approver=approver)
    for approver in ("甲", "丙", "戊"):
        assert post(requestid=order.request, status="Y", approver=approver)["flag"] == "Y"
    assert (order.verdict, order.approver) == ("Y", "丙")


def test_by_its_time_a_repetition_is_told_from_a_new_verdict(post: Post, order: Document) -> None:
    def report(status: str, minute: int, approver: str = "甲") -> str:
        at = f"2026-11-25 10:{minute:02}:00"
        return str(post(requestid=order.request, status=status, time=at, approver=approver)["flag"])

    # the last is the first one, delivered again: it gets the first one's answer
    assert [report("Y", 1), report("N", 2), report("Y", 1)] == ["Y", "Y", "Y"]
    assert order.verdict == "N"
    assert (report("Y", 3), order.verdict) == ("Y", "Y")
    # never seen before, and older than what stands
    assert (report("N", 2, "乙"), order.verdict) == ("N", "Y")
    assert order.events("failed") == []


def test_by_its_key_a_new_verdict_in_the_same_words_is_told_from_a_repetition(post: Post, order: Document) -> None:
    yes, no = ({"requestid": order.request, "status": status} for status in "YN")
    for key, body in (("1", yes), ("2", no), ("3", yes)):
        assert post(key=f"{order.request}-{key}", **body)["flag"] == "Y"
        assert order.verdict == body["status"]
    # the second one, delivered again, gets its own answer
    assert (post(key=f"{order.request}-2", **no)["flag"], order.verdict) == ("Y", "Y")


def test_what_cannot_be_told_waits_for_a_person_who_decides(
    post: Post, order: Document, module_desk: Any, eventually: Any
) -> None:
    """The same words again, no time in them, and the OA cannot be asked."""
    first = {"requestid": order.request, "status": "Y", "remark": "可以"}
    post(**first)
    post(requestid=order.request, status="N")
    for _ in range(2):
        answer = post(**first)
        assert (answer["flag"], "同一结论" in answer["message"]) == ("N", True)
        assert order.verdict == "N"
    # what stands is reported once more: nothing is doubtful about that
    assert post(requestid=order.request, status="N")["flag"] == "Y"
    [held] = order.events("failed")
    assert held.next_attempt_at is None
    listed = module_desk.command("callbacks", "list", "--by-hand").stdout
    assert order.request in listed
    # having every failed event tried again is no decision about this one
    module_desk.command("callbacks", "retry", "--all")
    eventually(lambda: order.events("failed") and order.events("failed")[0].attempts > held.attempts)
    assert order.verdict == "N"
    module_desk.command("callbacks", "retry", str(held.id))
    eventually(lambda: order.verdict == "Y", what="the person's decision is written")
    assert (post(requestid=order.request, status="N", remark="不")["flag"], order.verdict) == ("Y", "N")


def test_a_change_is_written_once_the_oa_itself_says_so(
    post: Post, request_in_the_oa: Document, sandbox: Any, eventually: Any
) -> None:
    """A node action reports a verdict before the OA keeps it; and an old report may come at any time."""
    document = request_in_the_oa
    path = f"/weaver/requests/{document.request}"
    sandbox.control("POST", f"{path}/decide", {"result": "agree"})
    yes, no = ({"requestid": document.request, "status": status} for status in "YN")
    assert (post(ASKED, **yes)["flag"], document.verdict) == ("Y", "Y")
    answer = post(ASKED, **no)
    assert (answer["flag"], "自动重试" in answer["message"], document.verdict) == ("N", True, "Y")
    sandbox.control("POST", f"{path}/reopen")
    sandbox.control("POST", f"{path}/decide", {"result": "refuse"})
    eventually(lambda: document.verdict == "N", what="the OA confirms it")
    assert (post(ASKED, **yes)["flag"], document.verdict) == ("N", "N")
    sandbox.control("POST", f"{path}/reopen")
    sandbox.control("POST", f"{path}/decide", {"result": "agree"})
    eventually(lambda: document.verdict == "Y", what="the OA confirms the same words")


CHANGE = Event(key="k", type="http verdict", instance_id="8888", outcome=Outcome.REFUSED)


@pytest.mark.parametrize(
    ("said", "doubtful", "may_wait", "error"),
    [
        (Outcome.REFUSED, True, True, None),
        (Outcome.REFUSED, False, False, None),
        (None, False, True, None),
        (None, True, True, RetryLater),
        (None, True, False, CallbackRejected),
        (Outcome.AGREED, False, True, RetryLater),
        (Outcome.AGREED, False, False, CallbackRejected),
    ],
)
def test_the_word_of_the_oa_decides_where_it_gives_one(
    said: Outcome | None, doubtful: bool, may_wait: bool, error: type[IntegrationError] | None
) -> None:
    if error is None:
        confirm_change(CHANGE, said, doubtful=doubtful, may_wait=may_wait)
    else:
        with pytest.raises(error, match="8888"):
            confirm_change(CHANGE, said, doubtful=doubtful, may_wait=may_wait)


def test_a_flow_that_waits_for_verdicts_nobody_is_asked_about_is_told(post: Post, module_desk: Any) -> None:
    silent = module_desk.command("check", UNASKED)
    assert "flows.missed.trigger.event" in silent.stdout + silent.stderr
    assert "outcome_source" in silent.stdout + silent.stderr
    asked = module_desk.command("check", ASKED)
    assert "outcome_source" not in asked.stdout + asked.stderr

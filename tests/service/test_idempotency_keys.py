"""HTTP flows that are called again with the same key: one effect, one answer."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from runtime.store.tables import answers

pytestmark = [pytest.mark.acceptance]

FORM = "PROC-HTTP"
#: Where DingTalk creates an approval.
START = "/v1.0/workflow/processInstances"


def start(path: str, **trigger: Any) -> dict[str, Any]:
    """A flow that starts an approval and says which."""
    return {
        "trigger": {"http": {"path": path, **trigger}},
        "steps": [
            {
                "id": "approval",
                "call": "oa.create_approval",
                "with": {
                    "form": FORM,
                    "values": {"Reason": "{{ request.body.reason }}"},
                    "originator": "{{ request.body.user or 'user-lisi' }}",
                    "department": "-1",
                },
            },
            {"if": "{{ request.body.lookup or false }}", "then": [
                {"call": "erp.get", "with": {"entity": "Items", "key": "{{ request.body.lookup }}"}}]},
            {"respond": {"status": 201, "headers": {"X-Kind": "start"}, "body": {
                "instance": "{{ approval.instance_id }}"}}},
        ],
    }  # fmt: skip


MAPPING: dict[str, Any] = {
    "format": 1,
    "id": "starts",
    "connections": {"erp": demo.B1_CONNECTION, "oa": demo.DINGTALK_CONNECTION},
    "flows": {
        "start": start("starts"),
        "keyed": start("keyed", key="{{ request.body.order }}"),
        "constant": start("constant", key="request.body.order"),
    },
}


class Caller:
    """Calls the flows with their AppCodes, and counts the approvals."""

    def __init__(self, desk: Any, sandbox: Any) -> None:
        self.desk = desk
        self.sandbox = sandbox
        self.process = desk.serve()
        self.base = self.process.address()
        listed = desk.command("appcodes", "list").stdout.splitlines()[1:]
        self.codes = {line.split()[0].partition("/")[2]: line.split()[-1] for line in listed}

    def __call__(self, flow: str, key: str | None, body: dict[str, Any]) -> httpx.Response:
        path = MAPPING["flows"][flow]["trigger"]["http"]["path"]
        headers = {"X-Apig-AppCode": self.codes[flow]}
        if key is not None:
            headers["Idempotency-Key"] = key
        return httpx.post(f"{self.base}/flows/{path}", headers=headers, json=body, trust_env=False, timeout=60)

    def made(self, reason: str) -> int:
        return sum(reason in str(item) for item in self.sandbox.instances())

    def restart(self, number: int) -> None:
        self.process.stop(number)
        self.process = self.desk.serve()
        self.base = self.process.address()


@pytest.fixture(scope="module")
def call(module_desk: Any, sandbox: Any) -> Caller:
    sandbox.control(
        "PUT", f"/dingtalk/forms/{FORM}",
        {"name": "http", "controls": [{"label": "Reason", "component": "TextField"}]},
    )  # fmt: skip
    module_desk.import_connections()
    module_desk.save(MAPPING)
    return Caller(module_desk, sandbox)


def test_the_same_key_gets_the_same_answer_and_one_effect(call: Caller) -> None:
    first = call("start", "k-1", {"reason": "reason one"})
    assert first.status_code == 201, first.text
    assert "idempotent-replayed" not in first.headers
    again = call("start", "k-1", {"reason": "reason one"})
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-kind"] == "start"
    assert call.made("reason one") == 1
    # Another flow, or another key, is another matter.
    assert call("start", "k-2", {"reason": "reason one"}).json() != first.json()
    assert call("keyed", "k-1", {"reason": "reason one"}).json() != first.json()


def test_without_a_key_every_call_counts(call: Caller) -> None:
    for _ in range(2):
        assert call("start", None, {"reason": "no key"}).status_code == 201
    assert call.made("no key") == 2


def test_another_body_under_the_same_key_is_refused(call: Caller) -> None:
    assert call("start", "k-3", {"reason": "first body"}).status_code == 201
    other = call("start", "k-3", {"reason": "other body"})
    assert other.status_code == 422
    assert "k-3" in other.json()["error"]["where"]
    assert call.made("other body") == 0


def test_a_corrected_body_is_accepted_once_the_first_was_refused_without_an_effect(call: Caller) -> None:
    wrong = call("start", "k-77", {"reason": "corrected", "user": "nobody-at-all"})
    assert wrong.status_code == 422, wrong.text
    first = call("start", "k-77", {"reason": "corrected"})
    assert first.status_code == 201, first.text
    assert call("start", "k-77", {"reason": "corrected"}).content == first.content
    # Now the key stands for what was created: nothing else gets through under it, the refused one neither.
    for other in ({"reason": "corrected", "user": "nobody-at-all"}, {"reason": "corrected anew"}):
        assert call("start", "k-77", other).status_code == 422
    assert call.made("corrected") == 1


def test_a_corrected_body_is_refused_when_a_part_of_the_first_was_carried_out(call: Caller) -> None:
    assert call("start", "k-88", {"reason": "partly", "lookup": "NO-SUCH"}).status_code == 422
    other = call("start", "k-88", {"reason": "partly"})
    assert other.status_code == 422
    assert "k-88" in other.json()["error"]["where"]
    assert call.made("partly") == 1


def test_a_corrected_body_is_refused_while_nobody_knows_what_became_of_the_first(call: Caller) -> None:
    call.sandbox.control("POST", "/faults/next", {"fault": "error500", "method": "POST", "path": START})
    assert call("start", "k-99", {"reason": "no answer"}).status_code == 503
    other = call("start", "k-99", {"reason": "corrected blindly"})
    assert (other.status_code, "结果尚未确认" in other.json()["error"]["message"]) == (422, True), other.text
    assert call.made("corrected blindly") == 0


def test_calls_at_the_same_moment_are_carried_out_once(call: Caller) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: call("start", "k-4", {"reason": "at once"}), range(8)))
    assert {answer.status_code for answer in found} == {201}
    assert len({answer.content for answer in found}) == 1
    assert call.made("at once") == 1


def test_the_mapping_may_say_what_the_key_is(call: Caller) -> None:
    first = call("keyed", None, {"order": 17, "reason": "by order"})
    assert first.status_code == 201
    # The key of the mapping counts, whatever the caller thinks of.
    assert call("keyed", "own key", {"order": 17, "reason": "by order"}).content == first.content
    assert call("keyed", None, {"order": 17, "reason": "changed"}).status_code == 422
    assert call("keyed", None, {"order": 18, "reason": "changed"}).status_code == 201
    assert (call.made("by order"), call.made("changed")) == (1, 1)


def test_a_key_that_is_the_same_for_everybody_is_a_mistake(call: Caller) -> None:
    answer = call("constant", None, {"order": 1, "reason": "constant"})
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "BadMapping"


@pytest.mark.parametrize("key", ["x" * 201, "a\tb"])
def test_a_key_that_is_no_key_is_refused(call: Caller, key: str) -> None:
    assert call("start", key, {"reason": "bad key"}).status_code == 400
    assert call.made("bad key") == 0


def test_after_a_fault_the_same_request_goes_on_where_it_broke_off(call: Caller) -> None:
    body = {"reason": "half way", "lookup": "NO-SUCH"}
    for _ in range(2):
        assert call("start", "k-5", body).status_code == 422
    assert call.made("half way") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_answers_outlive_the_process(call: Caller, number: int) -> None:
    key, reason = f"k-{number}", f"kept over {number}"
    first = call("start", key, {"reason": reason})
    assert first.status_code == 201
    call.restart(number)
    again = call("start", key, {"reason": reason})
    assert (again.status_code, again.content) == (201, first.content)
    assert call.made(reason) == 1


def test_a_request_whose_process_died_before_the_answer_goes_on_from_the_ledger(call: Caller) -> None:
    first = call("start", "k-6", {"reason": "died"})
    assert first.status_code == 201

    def forget(connection: Any) -> None:
        connection.execute(answers.update().where(answers.c.key == "k-6").values(status=None, headers=None, body=None))

    call.process.stop(signal.SIGKILL)
    call.desk.write(forget)
    call.restart(signal.SIGKILL)
    assert call("start", "k-6", {"reason": "died"}).json() == first.json()
    assert call.made("died") == 1

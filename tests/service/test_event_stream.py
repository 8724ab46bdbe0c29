"""Verdicts by Stream mode with the real commands: no address of ours is known to anybody, and each has one effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from runtime.sandbox import demo
from runtime.store.inbox import list_events

pytestmark = pytest.mark.acceptance

NAME = demo.DINGTALK_CONNECTION
#: Every insert into the inbox fails; everything else goes on.
BROKEN = "CREATE TRIGGER broken BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'the disk is on fire'); END"


@pytest.fixture(scope="module")
def runtime(module_desk: Any, purchase_request: dict[str, Any], eventually: Any) -> Any:
    """A live runtime that listens on a stream, and a DingTalk that repeats quickly."""
    module_desk.import_connections(
        dingtalk_demo={"event_mode": "stream", "reconnect_after": 0.2, "aes_key": "", "token": ""}
    )
    module_desk.save(purchase_request)
    settings = {"mode": "stream", "judge_ms": 1000, "backoff": [0.2] * 300}
    module_desk.sandbox.control("PUT", "/dingtalk/callback", settings)
    process = module_desk.serve()
    eventually(lambda: connections(module_desk.sandbox), what="the runtime connects")
    assert module_desk.sandbox.control("GET", "/dingtalk/callback")["url"] == ""
    return process


def connections(sandbox: Any) -> list[str]:
    return list(sandbox.control("GET", "/dingtalk/stream")["connections"])


@dataclass
class Office:
    """Whoever decides on approvals, and what became of the decisions."""

    sandbox: Any
    desk: Any
    eventually: Any

    def decide(self) -> dict[str, Any]:
        """An approval that nobody decided on is agreed to; its draft."""
        query = "/Drafts?$filter=DocObjectCode eq '1470000113' and U_ISSYN eq 'Y'&$top=1000"
        self.eventually(lambda: not self.sandbox.unsynced(), what="all drafts are sent")
        draft = next(d for d in self.sandbox.b1(query)["value"] if d["U_instanceID"] and not d["U_ApprovalStatus"])
        body = {"result": "agree", "remark": "by stream"}
        self.sandbox.control("POST", f"/dingtalk/instances/{draft['U_instanceID']}/decide", body)
        return dict(draft)

    def written_back(self, draft: dict[str, Any]) -> None:
        """Wait until the verdict is in B1."""
        path = f"/Drafts({draft['DocEntry']})"
        self.eventually(lambda: self.sandbox.b1(path)["U_ApprovalStatus"] == "agreed", what=f"{path} has its verdict")

    def push(self, draft: dict[str, Any]) -> dict[str, Any]:
        """The push of an approval's end."""
        log = self.sandbox.control("GET", f"/dingtalk/events?instance={draft['U_instanceID']}")["events"]
        return next(dict(push) for push in log if push["change"] == "finish")

    def delivered(self, draft: dict[str, Any], *, after: int = 0) -> dict[str, Any]:
        """The same, once it was acknowledged in a round after this one."""

        def look() -> dict[str, Any] | None:
            push = self.push(draft)
            return push if push["state"] == "delivered" and push["rounds"] > after else None

        return dict(self.eventually(look, what="the event is acknowledged"))

    def stored(self, draft: dict[str, Any]) -> list[Any]:
        """The ends of an approval that stand in the inbox."""
        found = self.desk.read(lambda connection: list_events(connection, instance_id=draft["U_instanceID"]))
        return [item for item in found if item.event.type == "approval.finished"]


@pytest.fixture
def office(runtime: Any, sandbox: Any, module_desk: Any, eventually: Any) -> Office:
    return Office(sandbox, module_desk, eventually)


def test_a_verdict_comes_back_by_stream(runtime: Any, office: Office) -> None:
    draft = office.decide()
    office.written_back(draft)
    push = office.delivered(draft)
    assert [item.event.key for item in office.stored(draft)] == [push["id"]]
    with httpx.Client(base_url=runtime.address(), trust_env=False, timeout=30) as http:
        ready, metrics = http.get("/readyz"), http.get("/metrics").text
    assert ready.status_code == 200
    state = ready.json()["streams"][NAME]
    assert (state["connected"], state["error"]) == (True, None)
    assert state["since"]
    assert f'b1_stream_connected{{connection="{NAME}"}} 1.0' in metrics
    assert f'b1_stream_since_timestamp_seconds{{connection="{NAME}"}}' in metrics
    assert f'b1_callbacks_total{{connection="{NAME}",verdict="accepted"}}' in metrics


def test_a_connection_that_is_cut_comes_back_with_what_was_missed(runtime: Any, sandbox: Any, office: Office) -> None:
    for end in ("cut", "disconnect"):
        before = connections(sandbox)
        draft = office.decide()
        sandbox.control("POST", f"/dingtalk/stream/{end}")
        office.written_back(draft)
        office.eventually(lambda before=before: connections(sandbox) not in ([], before), what="a new connection")
    lost = [line for line in runtime.output.splitlines() if "event stream is lost" in line]
    assert len(lost) == 1
    assert NAME in lost[0]
    assert runtime.output.count("event stream is connected") == 2


def test_a_lost_acknowledgement_brings_the_event_again_and_it_has_one_effect(sandbox: Any, office: Office) -> None:
    sandbox.control("POST", "/dingtalk/stream/lose-answers", {"times": 3})
    draft = office.decide()
    push = office.delivered(draft)
    assert "no answer" in push["tries"][0]["problem"]
    office.written_back(draft)
    office.eventually(lambda: office.stored(draft)[0].state == "done", what="it is carried out")
    [item] = office.stored(draft)
    assert (item.event.key, item.attempts) == (push["id"], 1)


def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(sandbox: Any, office: Office) -> None:
    office.desk.write(lambda connection: connection.execute(text(BROKEN)))
    draft = office.decide()
    problems = office.eventually(
        lambda: [attempt["problem"] for attempt in office.push(draft)["tries"]][2:], what="it is refused thrice"
    )
    assert all("asks for a repeat" in problem for problem in problems)
    assert office.stored(draft) == []
    assert connections(sandbox)
    office.desk.write(lambda connection: connection.execute(text("DROP TRIGGER broken")))
    office.written_back(draft)
    assert len(office.stored(draft)) == 1


def test_the_same_event_by_the_other_way_finds_itself_stored(runtime: Any, sandbox: Any, office: Office) -> None:
    draft = office.decide()
    office.written_back(draft)
    push = office.delivered(draft)
    office.desk.import_connections(dingtalk_demo={"event_mode": "stream", "reconnect_after": 0.2})
    callback = f"{runtime.address()}/callbacks/{NAME}"

    def saved() -> bool:
        # A live runtime takes the keys up within a second.
        address = f"{sandbox.url}/control/dingtalk/callback"
        return httpx.put(address, json={"url": callback, "mode": "http"}, trust_env=False, timeout=30).is_success

    office.eventually(saved, what="the address is saved")
    sandbox.control("POST", f"/dingtalk/events/{push['id']}/redeliver")
    office.delivered(draft, after=push["rounds"])
    assert len(office.stored(draft)) == 1


def test_changed_settings_and_the_stop_end_the_connection(
    runtime: Any, sandbox: Any, module_desk: Any, eventually: Any
) -> None:
    def streams() -> Any:
        return httpx.get(f"{runtime.address()}/readyz", trust_env=False, timeout=30).json()["streams"]

    module_desk.import_connections(dingtalk_demo={"event_mode": "http"})
    eventually(lambda: not connections(sandbox) and streams() == {}, what="nobody listens any more")
    metrics = httpx.get(f"{runtime.address()}/metrics", trust_env=False, timeout=30).text
    assert "b1_stream_connected{" not in metrics
    wrong = {"event_mode": "stream", "reconnect_after": 0.2, "app_secret": "not-the-secret"}
    module_desk.import_connections(dingtalk_demo=wrong)
    state = eventually(lambda: streams().get(NAME), what="the wrong secret shows")
    assert state["connected"] is False
    assert "AppKey or AppSecret" in state["error"]["en"]
    module_desk.import_connections(dingtalk_demo={"event_mode": "stream", "reconnect_after": 0.2})
    eventually(lambda: connections(sandbox), what="it connects again")
    assert runtime.stop() == 0
    eventually(lambda: not connections(sandbox), what="the connection is closed")
    assert "broke down" not in runtime.output
    assert "never retrieved" not in runtime.output

"""A state database as a week of work leaves it, for tests that look at the studio's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from runtime.connectors.events import Event, Outcome
from runtime.errors import RemoteRefused
from runtime.store import inbox, ledger, runs
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.ledger import DeliveryState, EffectRecord, EffectState

MAPPING = "purchase-request-dingtalk"
OA = "dingtalk-demo"


def effect(step: str = "approval", **changes: Any) -> EffectRecord:
    """An answered ``create`` of the OA."""
    begun = utc_now() - timedelta(minutes=5)
    values = {
        "step": step, "effect": "create", "state": EffectState.DONE, "connection": OA, "action": "create_approval",
        "digest": "d", "started_at": begun, "finished_at": begun + timedelta(seconds=1),
    }  # fmt: skip
    return EffectRecord(**(values | changes))


def written(step: str, action: str, result: Any) -> EffectRecord:
    """An ``update`` in B1."""
    return effect(step, effect="update", connection="b1-demo", action=action, result=result)


def deliver(database: Database, key: str, *effects: EffectRecord, **changes: Any) -> int:
    """A delivery of the demo mapping; returns its id."""
    row = {
        "mapping": MAPPING, "flow": "submit", "source": "b1-demo/Drafts", "document_key": key, "document": key,
        "generation": 1, "state": DeliveryState.COMPLETE, "completed_at": utc_now(), "connection": OA,
    }  # fmt: skip
    return database.write(lambda connection: ledger.save(connection, row | changes, effects))


def unknown(database: Database, key: str = "7") -> int:
    """A document of which nobody knows whether its approval was created; returns the delivery's id."""
    lost = effect(
        state=EffectState.UNKNOWN,
        request={"form": "PROC-DEMO-PR", "originator": "user-zhangsan", "values": {"来源单号": key, "备注": "无"}},
        finished_at=None,
    )
    error = {
        "type": "OutcomeUnknown", "zh": "有 2 张审批都可能是它", "en": "Two approvals may be it", "where": "approval",
        "code": "", "remote": "",
    }  # fmt: skip
    return deliver(database, key, lost, state=DeliveryState.UNKNOWN, completed_at=None, connection="", error=error)


def seed(database: Database) -> dict[str, int]:
    """Documents in every state; returns their deliveries' ids by document key."""
    ids = {"7": unknown(database)}
    ids["1"] = deliver(
        database,
        "1",
        effect(result={"instance_id": "proc-1"}, instance_id="proc-1"),
        written("b1-demo.update", "update", None),
        instance_id="proc-1",
    )
    ids["1b"] = deliver(
        database,
        "1",
        effect(result={"instance_id": "proc-2"}, instance_id="proc-2", adopted=True),
        written("b1-demo.update", "update", None),
        generation=2,
        instance_id="proc-2",
        outcome=Outcome.AGREED,
        outcome_at=utc_now(),
    )
    ids["2"] = deliver(database, "2", effect(instance_id="proc-3"), instance_id="proc-3")
    refused = {"zh": "B1 拒绝：日期不在期间内", "en": "B1 refused: date outside the period"}
    absent = effect(state=EffectState.ABSENT)
    ids["3"] = deliver(database, "3", absent, state=DeliveryState.FAILED, error=refused, completed_at=None)
    event = Event(key="ding-event-1", type="approval.finished", instance_id="proc-2", outcome=Outcome.AGREED)
    late = Event(key="ding-event-2", type="approval.finished", instance_id="proc-9", outcome=Outcome.REFUSED)
    for one in (event, late):
        database.write(lambda connection, one=one: inbox.insert_event(connection, OA, one))
    [second, first] = database.read(inbox.list_events)
    database.write(lambda connection: inbox.event_done(connection, first.id, note=f"{MAPPING}/verdict"))
    failure = RemoteRefused("B1 拒绝了审批结论", "B1 refused the verdict", code="-5002", remote="Already closed")
    database.write(lambda connection: inbox.event_failed(connection, second.id, error=failure, next_attempt_at=None))
    decided = written("if/erp.decide", "decide", {"decided": True})
    deliver(database, event.key, decided, flow="verdict", source=f"event:{OA}")
    run_id = "20260301-080000-0a1b2c3d"
    database.write(
        lambda connection: runs.start_run(
            connection, run_id, mapping=MAPPING, flow="submit", cause="schedule", request={}
        )
    )
    row = {
        "run_id": run_id, "position": 1, "document": "1", "state": "done", "started_at": utc_now(), "elapsed_ms": 35,
        "error": None, "note": "", "steps": b"[]",
    }  # fmt: skip
    database.write(lambda connection: runs.add_documents(connection, [row]))
    counts = {"total": 1, "done": 1, "failed": 0, "skipped": 0, "unknown": 0}
    database.write(lambda connection: runs.finish_run(connection, run_id, state="succeeded", counts=counts))
    return ids

"""A workflow request as e-cology reports it, in our words; and whether it is the one that was asked for.

e-cology 9, 流程接口 getWorkflowRequest. How a request ended is not told alike by all builds and workflows: the
connection's settings say where to read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from runtime.connectors.compare import all_same, same_value
from runtime.connectors.events import Event, Outcome
from runtime.connectors.weaver.answers import data_of
from runtime.connectors.weaver.settings import WeaverSettings
from runtime.jsontext import object_of

__all__ = ["finished_event", "read_approval", "read_time", "same_approval"]


def read_approval(instance_id: str, answer: Any, settings: WeaverSettings) -> dict[str, Any]:
    """The request, normalised.

    :returns: ``instance_id``, ``form`` (workflow id), ``title``, ``status`` (the text that people see), ``node`` (name
        of the current node, else its id), ``outcome`` (``agreed``, ``refused``, ``withdrawn``, or None as long as the
        settings do not tell), ``originator``, ``approver`` (who acted last, where the build says), ``created_at`` (UTC,
        or None), ``values`` (column to value), ``shown`` (column to what people see), ``tables`` (detail table to rows
        of column to value) and ``raw``
    """
    data = object_of(data_of(answer))
    values: dict[str, str] = {}
    shown: dict[str, str] = {}
    for field in _fields(object_of(data.get("workflowMainTableInfo")).get("requestRecords")):
        values[field["fieldName"]] = _text(field.get("fieldValue"))
        shown[field["fieldName"]] = _text(field.get("fieldShowValue"))
    tables: dict[str, list[dict[str, str]]] = {}
    for table in data.get("workflowDetailTableInfos") or ():
        records = object_of(table).get("workflowRequestTableRecords") or ()
        tables[_text(object_of(table).get("tableDBName"))] = [
            {field["fieldName"]: _text(field.get("fieldValue")) for field in _fields([record])} for record in records
        ]
    base = object_of(data.get("workflowBaseInfo"))
    approval = {
        "instance_id": instance_id,
        "form": _text(base.get("workflowId") or data.get("workflowId")),
        "title": _text(data.get("requestName")),
        "status": _text(data.get("status")),
        "node": _text(data.get("currentNodeName") or data.get("currentNodeId")),
        "originator": _text(data.get("creatorId")),
        "approver": _text(data.get("lastOperatorId")),
        "created_at": read_time(data.get("createTime"), ZoneInfo(settings.timezone)),
        "values": values,
        "shown": shown,
        "tables": tables,
        "raw": dict(data),
    }
    return approval | {"outcome": _outcome(approval, settings)}


def finished_event(approval: Mapping[str, Any], form: str) -> Event | None:
    """The event that an ended request stands for; None while it is open, or the settings do not tell."""
    outcome = approval["outcome"]
    if outcome is None:
        return None
    return Event(
        key=f"asked {approval['instance_id']} {outcome.value}",
        type="approval.finished",
        instance_id=approval["instance_id"],
        form=form or approval["form"],
        outcome=outcome,
        approver=approval["approver"],
        raw={"status": approval["status"], "node": approval["node"]},
    )


def read_time(value: Any, zone: ZoneInfo) -> datetime | None:
    """A time as e-cology writes it (``yyyy-MM-dd HH:mm:ss`` of its own zone); UTC."""
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def same_approval(
    main: Sequence[Mapping[str, Any]],
    details: Sequence[Mapping[str, Any]],
    returned: Mapping[str, Any],
    *,
    key: str = "",
) -> bool | None:
    """Whether a request carries the values that were submitted.

    :param main: ``mainData`` of the call, ``details`` its ``detailData``
    :param returned: the request, as :func:`read_approval` gives it
    :param key: column that alone identifies the document
    :returns: None when nothing could be compared for certain
    """
    there = {name.lower(): value for name, value in returned["values"].items()}
    if key:
        wanted = next((field["fieldValue"] for field in main if field["fieldName"].lower() == key.lower()), "").strip()
        found = there.get(key.lower(), "").strip()
        if wanted and wanted == found:
            return True
        return False if _same(wanted, found) is False else None
    verdicts = [_same(field["fieldValue"], there.get(field["fieldName"].lower())) for field in main]
    for table in details:
        listed = returned["tables"].get(table["tableDBName"])
        rows = [record["workflowRequestTableFields"] for record in table["workflowRequestTableRecords"]]
        if listed is not None and len(listed) != len(rows):
            return False
        verdicts += [
            _same(field["fieldValue"], row.get(field["fieldName"]))
            for fields, row in zip(rows, listed or (), strict=False)
            for field in fields
        ]
    return all_same(verdicts)


def _fields(records: Any) -> Iterator[Mapping[str, Any]]:
    first = records[0] if isinstance(records, list) and records else records
    for field in object_of(first).get("workflowRequestTableFields") or ():
        if isinstance(field, Mapping) and field.get("fieldName"):
            yield field


def _outcome(approval: Mapping[str, Any], settings: WeaverSettings) -> Outcome | None:
    match settings.outcome_source:
        case "field":
            said = {approval[part].get(settings.outcome_field, "").strip() for part in ("values", "shown")}
        case "status" | "node":
            said = {approval[settings.outcome_source].strip()}
        case _:
            return None
    words = {
        Outcome.AGREED: settings.agreed,
        Outcome.REFUSED: settings.refused,
        Outcome.WITHDRAWN: settings.withdrawn,
    }
    return next((outcome for outcome, text in words.items() if said & _words(text)), None)


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.replace("，", ",").split(",") if word.strip()}


def _same(submitted: Any, returned: Any) -> bool | None:
    """Equal, different, or None: attachments and values of different kinds cannot be compared."""
    return same_value(submitted, returned) if isinstance(submitted, str) else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)

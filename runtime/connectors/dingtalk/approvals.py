"""An approval instance as DingTalk reports it, in our words; and whether it is the one that a request asked for.

DingTalk open platform, 获取单个审批实例详情. The shape in which table values come back is not documented, so
every known one is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from runtime.connectors.compare import all_same, parsed, same_rows, same_value, text_of
from runtime.connectors.events import Outcome

__all__ = ["read_approval", "read_time", "same_approval"]

_DECISIONS = ("AGREE", "REFUSE")


def read_approval(instance_id: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """The instance, normalised.

    :returns: ``instance_id``, ``form``, ``title``, ``status`` (``RUNNING``, ``TERMINATED`` or ``COMPLETED``),
        ``outcome`` (``agreed``, ``refused``, ``withdrawn`` or None while it is open), ``originator``, ``approver``
        (user id of who decided last, or ``""``), ``approvers`` (everybody who decided, in order), ``remarks``
        (``who: remark`` joined by ``; ``), ``created_at`` and ``finished_at`` (UTC, or None), ``values`` (label to
        text), ``tables`` (label to rows of label to text) and ``raw``
    """
    records = [record for record in detail.get("operationRecords") or () if isinstance(record, Mapping)]
    deciders = [str(record.get("userId") or "") for record in records if _word(record, "result") in _DECISIONS]
    if not deciders:
        tasks = [task for task in detail.get("tasks") or () if isinstance(task, Mapping)]
        decided = [
            task for task in tasks if _word(task, "result") in _DECISIONS and _word(task, "status") == "COMPLETED"
        ]
        deciders = [
            str(task.get("userId") or "") for task in sorted(decided, key=lambda task: str(task.get("finishTime")))
        ]
    remarks = [
        f"{record.get('userName') or record.get('userId') or ''}: {str(record['remark']).strip()}"
        for record in records
        if str(record.get("remark") or "").strip()
    ]
    values, tables = _read_values(detail)
    return {
        "instance_id": instance_id,
        "form": str(detail.get("processCode") or ""),
        "title": str(detail.get("title") or ""),
        "status": _word(detail, "status"),
        "outcome": _outcome(detail),
        "originator": str(detail.get("originatorUserId") or ""),
        "approver": deciders[-1] if deciders else "",
        "approvers": list(dict.fromkeys(deciders)),
        "remarks": "; ".join(remarks),
        "created_at": read_time(detail.get("createTime")),
        "finished_at": read_time(detail.get("finishTime")),
        "values": values,
        "tables": tables,
        "raw": dict(detail),
    }


def _outcome(detail: Mapping[str, Any]) -> Outcome | None:
    match _word(detail, "status"), _word(detail, "result"):
        case "COMPLETED", "AGREE":
            return Outcome.AGREED
        case "COMPLETED", "REFUSE":
            return Outcome.REFUSED
        case (("TERMINATED" | "CANCELED"), _):
            return Outcome.WITHDRAWN
    return None


def read_time(value: Any) -> datetime | None:
    """A time as the calls (``yyyy-MM-ddTHH:mmZ``) and the events (milliseconds since 1970) write it; UTC."""
    try:
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return datetime.fromtimestamp(int(value) / 1000, UTC) if int(value) > 0 else None
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read_values(detail: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    values: dict[str, str] = {}
    tables: dict[str, list[dict[str, Any]]] = {}
    for component in detail.get("formComponentValues") or ():
        if not isinstance(component, Mapping):
            continue
        label = str(component.get("name") or component.get("id") or "")
        value = component.get("value")
        is_table = component.get("componentType") == "TableField"
        rows = _read_rows(value if value not in (None, "") else component.get("details"), loose=is_table)
        if rows is not None:
            tables[label] = rows
        elif not is_table:
            values[label] = text_of(value)
    return values, tables


def _read_rows(value: Any, *, loose: bool) -> list[dict[str, Any]] | None:
    """Rows of a table value, or None where it is no table.

    Known shapes, as a value or as JSON in a string: ``[[{name, value}]]`` as submitted, ``[{rowValue: [{label, value}],
    rowNumber}]``, ``[{details: [{name, value}]}]``, and, only where the control is known to be a table (``loose``),
    ``[{label: value}]`` and an empty list.
    """
    value = parsed(value)
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("rows", "list", "data") if isinstance(value.get(key), list)), None)
    if not isinstance(value, list) or (not value and not loose):
        return None
    if value and all(isinstance(cell, Mapping) and {"name", "value"} <= cell.keys() for cell in value):
        value = [value]  # the cells of a single row
    rows = []
    for row in value:
        cells = parsed(row)
        if isinstance(cells, Mapping):
            nested = next((cells[key] for key in ("rowValue", "details", "cells") if key in cells), None)
            if nested is None and loose:
                rows.append({str(label): _cell(cell) for label, cell in cells.items() if label != "rowNumber"})
                continue
            cells = parsed(nested)
        if not isinstance(cells, list) or not all(isinstance(cell, Mapping) for cell in cells):
            return None
        rows.append(
            {
                str(cell.get("label") or cell.get("name") or cell.get("key") or cell.get("id") or ""): _cell(
                    cell.get("value", cell.get("extendValue", cell.get("extValue")))
                )
                for cell in cells
            }
        )
    return rows


def _cell(value: Any) -> Any:
    return value if isinstance(value, list | dict) else text_of(value)


def same_approval(submitted: Sequence[Mapping[str, str]], returned: Mapping[str, Any], *, key: str = "") -> bool | None:
    """Whether an instance carries the values that were submitted.

    :param submitted: ``formComponentValues`` of the request
    :param returned: the instance, as :func:`read_approval` gives it
    :param key: label of a control that alone identifies the document
    :returns: None when nothing could be compared for certain
    """
    if key:
        wanted = next((component["value"] for component in submitted if component["name"] == key), "").strip()
        found = str(returned["values"].get(key) or "").strip()
        if wanted and found:
            return True if wanted == found else False if same_value(wanted, found) is False else None
        return None
    return all_same(_same_component(component["name"], component["value"], returned) for component in submitted)


def _same_component(name: str, value: str, returned: Mapping[str, Any]) -> bool | None:
    rows = _read_rows(value, loose=False)
    if rows is not None:
        return same_rows(rows, returned["tables"].get(name))
    return same_value(value, returned["values"].get(name))


def _word(record: Mapping[str, Any], name: str) -> str:
    return str(record.get(name) or "").upper()

"""An approval instance as DingTalk reports it, in our words; and whether it is the one that a request asked for.

DingTalk open platform, 获取单个审批实例详情. The shape in which table values come back is not documented, so
every known one is read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from runtime import jsontext
from runtime.connectors.base import Outcome

__all__ = ["read_approval", "read_time", "same_approval"]

_DECISIONS = ("AGREE", "REFUSE")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


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
            values[label] = _text(value)
    return values, tables


def _read_rows(value: Any, *, loose: bool) -> list[dict[str, Any]] | None:
    """Rows of a table value, or None where it is no table.

    Known shapes, as a value or as JSON in a string: ``[[{name, value}]]`` as submitted, ``[{rowValue: [{label, value}],
    rowNumber}]``, ``[{details: [{name, value}]}]``, and, only where the control is known to be a table (``loose``),
    ``[{label: value}]`` and an empty list.
    """
    value = _parsed(value)
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("rows", "list", "data") if isinstance(value.get(key), list)), None)
    if not isinstance(value, list) or (not value and not loose):
        return None
    if value and all(isinstance(cell, Mapping) and {"name", "value"} <= cell.keys() for cell in value):
        value = [value]  # the cells of a single row
    rows = []
    for row in value:
        cells = _parsed(row)
        if isinstance(cells, Mapping):
            nested = next((cells[key] for key in ("rowValue", "details", "cells") if key in cells), None)
            if nested is None and loose:
                rows.append({str(label): _cell(cell) for label, cell in cells.items() if label != "rowNumber"})
                continue
            cells = _parsed(nested)
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
    return value if isinstance(value, list | dict) else _text(value)


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
            return True if wanted == found else False if _same(wanted, found) is False else None
        return None
    verdicts = []
    for component in submitted:
        name, value = component["name"], component["value"]
        rows = _read_rows(value, loose=False)
        if rows is not None:
            verdicts.append(_same_rows(rows, returned["tables"].get(name)))
        else:
            verdicts.append(_same(value, returned["values"].get(name)))
    if False in verdicts:
        return False
    return True if True in verdicts else None


def _same_rows(submitted: list[dict[str, Any]], returned: list[dict[str, Any]] | None) -> bool | None:
    if returned is None:
        return None
    if len(submitted) != len(returned):
        return False
    verdicts = [
        _same(str(value), there.get(label))
        for here, there in zip(submitted, returned, strict=True)
        for label, value in here.items()
    ]
    if False in verdicts:
        return False
    return True if True in verdicts else None


def _same(submitted: str, returned: Any) -> bool | None:
    """Equal, different, or None: values of different kinds may be two ways of writing the same thing."""
    if returned in (None, ""):
        return None
    here, there = _kind(submitted), _kind(returned)
    if here == there:
        return True
    return False if type(here) is type(there) and not isinstance(here, list | dict) else None


def _kind(value: Any) -> Any:
    """A value in comparable form: list or object, date, decimal, or text without markup and spacing differences."""
    value = _parsed(value)
    if isinstance(value, list | dict):
        return value
    text = " ".join(html.unescape(_text(value)).split())
    try:
        if _DATE.match(text):
            return date.fromisoformat(text[:10])
        return Decimal(text) if _NUMBER.fullmatch(text) else text
    except ValueError:
        return text


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return jsontext.loads(value)
        except ValueError:
            return value
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return jsontext.dumps(value).decode()


def _word(record: Mapping[str, Any], name: str) -> str:
    return str(record.get(name) or "").upper()

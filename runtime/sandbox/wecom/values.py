"""Form values of an application: does each fit the control it is meant for?

Formats follow "WeCom developer centre, 提交审批申请" and its table of controls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.sandbox import demo
from runtime.sandbox.wecom.errors import bad_approval
from runtime.sandbox.wecom.forms import Control, Form

__all__ = ["Known", "check_contents"]

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SECONDS = re.compile(r"\d{9,10}")
#: Not to be filled in.
_COMPUTED = ("Tips", "Formula")
#: Keys that the detail carries for every control, whatever its kind.
_EVERY_KEY: dict[str, Any] = {
    "tips": [],
    "members": [],
    "departments": [],
    "files": [],
    "children": [],
    "stat_field": [],
    "attendance": None,
    "related_approval": [],
}


@dataclass(frozen=True)
class Known:
    """What values may refer to."""

    instances: Collection[str]
    media: Collection[str]


def check_contents(form: Form, given: Any, known: Known) -> list[dict[str, Any]]:
    """``apply_data.contents`` as it is kept: each with its title, choices with their text.

    :raises WeComError: 301025 for a control that is missing, unknown, given twice, malformed or empty though required
    """
    if not isinstance(given, list) or not given:
        raise bad_approval("apply_data.contents", "is empty")
    controls = {control.id: control for control in form.controls}
    found: dict[str, dict[str, Any]] = {}
    for entry in given:
        control = _control(entry, controls)
        if control.id in found:
            raise bad_approval(control.id, "given twice")
        found[control.id] = _content(control, entry.get("value"), known)
    for control in form.controls:
        if control.required and (control.id not in found or _is_blank(control, found[control.id]["value"])):
            raise bad_approval(control.id, "is required")
    return [found[control.id] for control in form.controls if control.id in found]


def _control(entry: Any, controls: Mapping[str, Control]) -> Control:
    control = controls.get(str(entry.get("id"))) if isinstance(entry, Mapping) else None
    if control is None:
        raise bad_approval("apply_data.contents", f"has an unknown control {entry!r:.80}")
    if entry.get("control") != control.control:
        raise bad_approval(control.id, f"is a {control.control}")
    return control


def _content(control: Control, value: Any, known: Known) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise bad_approval(control.id, "has no value")
    if control.control in _COMPUTED:
        raise bad_approval(control.id, "cannot be filled in")
    kept = _CHECKS.get(control.control, _any)(control, value, known)
    title = [{"text": control.label, "lang": "zh_CN"}]
    return {"control": control.control, "id": control.id, "title": title, "value": {**_EVERY_KEY, **kept}}


def _is_blank(control: Control, value: Mapping[str, Any]) -> bool:
    own = {key: part for key, part in value.items() if part not in (None, "", [], {})}
    match control.control:
        case "Date":
            return not value["date"].get("s_timestamp")
        case "Selector":
            return not value["selector"]["options"]
    return not own


def _any(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    return dict(value)


def _text(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    text = value.get("text")
    if not isinstance(text, str):
        raise bad_approval(control.id, "text is not a string")
    if control.control == "Text" and ("\n" in text or "\r" in text):
        raise bad_approval(control.id, "text has a line break")
    return {"text": text}


def _number(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    name = "new_number" if control.control == "Number" else "new_money"
    number = value.get(name)
    if not isinstance(number, str) or (number and not _NUMBER.fullmatch(number)):
        raise bad_approval(control.id, f"{name} is not a number in a string")
    return {name: number}


def _date(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    found = value.get("date")
    seconds = found.get("s_timestamp") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or found.get("type") != control.unit or not isinstance(seconds, str):
        raise bad_approval(control.id, f"is no date of type {control.unit}")
    if seconds and not _SECONDS.fullmatch(seconds):
        raise bad_approval(control.id, "s_timestamp is not in seconds")
    return {"date": {"type": control.unit, "s_timestamp": seconds}}


def _date_range(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    found = value.get("date_range")
    names = ("new_begin", "new_end", "new_duration")
    if (
        not isinstance(found, Mapping)
        or found.get("type") != control.unit
        or not all(isinstance(found.get(name), int) for name in names)
        or found["new_begin"] > found["new_end"]
        or found["new_duration"] <= 0
    ):
        raise bad_approval(control.id, f"is no range of type {control.unit}")
    return {"date_range": dict(found)}


def _selector(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    found = value.get("selector")
    keys = [option.get("key") for option in found.get("options") or ()] if isinstance(found, Mapping) else [None]
    texts = control.option_keys()
    kind = "multi" if control.multi else "single"
    if not isinstance(found, Mapping) or found.get("type") != kind or (len(keys) > 1 and not control.multi):
        raise bad_approval(control.id, f"is a {kind} selector")
    if any(key not in texts for key in keys):
        raise bad_approval(control.id, "has an unknown option")
    options = [{"key": key, "value": [{"text": texts[key], "lang": "zh_CN"}]} for key in keys if key is not None]
    return {"selector": {"type": kind, "options": options, "op_relations": []}}


def _contact(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    name, key = ("members", "userid") if control.mode == "user" else ("departments", "openapi_id")
    entries = value.get(name)
    if not isinstance(entries, list) or (len(entries) > 1 and not control.multi):
        raise bad_approval(control.id, f"needs {name}")
    people = demo.USERS if control.mode == "user" else {str(number) for number in demo.DEPARTMENTS}
    if any(not isinstance(entry, Mapping) or entry.get(key) not in people for entry in entries):
        raise bad_approval(control.id, f"has an unknown {key}")
    return {name: [{key: entry[key], "name": _name(entry[key])} for entry in entries]}


def _name(number: str) -> str:
    return demo.USERS[number].name if number in demo.USERS else demo.DEPARTMENTS[int(number)]


def _file(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    files = value.get("files")
    if not isinstance(files, list) or len(files) > 6:
        raise bad_approval(control.id, "takes up to 6 files")
    if any(not isinstance(file, Mapping) or file.get("file_id") not in known.media for file in files):
        raise bad_approval(control.id, "has an unknown file_id")
    return {"files": [{"file_id": file["file_id"]} for file in files]}


def _related(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    related = value.get("related_approval")
    if not isinstance(related, list) or any(
        not isinstance(one, Mapping) or one.get("sp_no") not in known.instances for one in related
    ):
        raise bad_approval(control.id, "has an unknown sp_no")
    return {"related_approval": related}


def _location(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    place = value.get("location")
    names = ("latitude", "longitude", "title", "address")
    if not isinstance(place, Mapping) or not all(isinstance(place.get(name), str) for name in names):
        raise bad_approval(control.id, "is no location")
    return {"location": dict(place)}


def _table(control: Control, value: Mapping[str, Any], known: Known) -> dict[str, Any]:
    rows = value.get("children")
    if not isinstance(rows, list) or not rows:
        raise bad_approval(control.id, "has no rows")
    columns = {child.id: child for child in control.children}
    wanted = [child for child in control.children if child.control not in _COMPUTED]
    kept = []
    for number, row in enumerate(rows, 1):
        cells = row.get("list") if isinstance(row, Mapping) else None
        if not isinstance(cells, list):
            raise bad_approval(control.id, f"row {number} is not a list")
        found: dict[str, dict[str, Any]] = {}
        for cell in cells:
            column = _control(cell, columns)
            found[column.id] = _content(column, cell.get("value"), known)
        for column in wanted:
            if column.id not in found:
                raise bad_approval(f"{control.id} row {number}", f"lacks {column.id}")
            if column.required and _is_blank(column, found[column.id]["value"]):
                raise bad_approval(f"{control.id} row {number}", f"{column.id} is required")
        kept.append({"list": list(found.values())})
    return {"children": kept}


_CHECKS: Mapping[str, Callable[[Control, Mapping[str, Any], Known], dict[str, Any]]] = {
    "Text": _text,
    "Textarea": _text,
    "Number": _number,
    "Money": _number,
    "Date": _date,
    "DateRange": _date_range,
    "Selector": _selector,
    "Contact": _contact,
    "File": _file,
    "RelatedApproval": _related,
    "Location": _location,
    "Table": _table,
}

"""How the value of one control is written (WeCom developer centre, 提交审批申请, the table of controls)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from runtime.connectors.compare import parsed
from runtime.connectors.files import File
from runtime.connectors.filling import is_empty, number_text, option_of, plain_text
from runtime.errors import ValueRefused
from runtime.mapping.forms import Control, ControlType
from runtime.mapping.values import members, to_date

__all__ = ["empty_value", "encode_value", "vendor_name"]

_HALF_DAY = timedelta(hours=12)
_LOCATION = ("latitude", "longitude", "title", "address")

_EMPTY: dict[ControlType, dict[str, Any]] = {
    ControlType.TEXT: {"text": ""},
    ControlType.TEXTAREA: {"text": ""},
    ControlType.NUMBER: {"new_number": ""},
    ControlType.MONEY: {"new_money": ""},
    ControlType.CONTACT: {"members": []},
    ControlType.DEPARTMENT: {"departments": []},
    ControlType.ATTACHMENT: {"files": []},
    ControlType.RELATION: {"related_approval": []},
}

_VENDOR = {
    ControlType.TEXT: "Text",
    ControlType.TEXTAREA: "Textarea",
    ControlType.NUMBER: "Number",
    ControlType.MONEY: "Money",
    ControlType.SELECT: "Selector",
    ControlType.MULTISELECT: "Selector",
    ControlType.DATE: "Date",
    ControlType.DATERANGE: "DateRange",
    ControlType.TABLE: "Table",
    ControlType.ATTACHMENT: "File",
    ControlType.CONTACT: "Contact",
    ControlType.DEPARTMENT: "Contact",
    ControlType.RELATION: "RelatedApproval",
    ControlType.ADDRESS: "Location",
}


def vendor_name(control: Control) -> str:
    """WeCom's name of a control's kind."""
    return _VENDOR.get(control.type) or control.vendor or "Text"


def encode_value(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    """The ``value`` object of a control (anything but a table); ``value`` is not empty.

    :param zone: time zone that dates are meant in
    :raises ValueRefused: the value does not fit the control (``where`` is left to the caller)
    :raises MappingFailed: it is no date
    """
    return _ENCODERS.get(control.type, _other)(control, value, zone)


def empty_value(control: Control) -> dict[str, Any]:
    """The ``value`` object of a column without a value: a row carries all columns."""
    if control.type is ControlType.DATE:
        return {"date": {"type": control.format or "day", "s_timestamp": ""}}
    if control.type in (ControlType.SELECT, ControlType.MULTISELECT):
        return {"selector": {"type": _selector_type(control), "options": []}}
    return dict(_EMPTY.get(control.type, {}))


def _text(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    """One line: a text control refuses line breaks."""
    return {"text": re.sub(r"[ \t]*(\r\n|\r|\n)[ \t]*", " ", plain_text(value).strip("\r\n"))}


def _textarea(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {"text": plain_text(value)}


def _number(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {"new_number": number_text(value)}


def _money(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {"new_money": number_text(value)}


def _date(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    kind = control.format or "day"
    moment = _moment(value, zone)
    if kind == "day":
        moment = moment.replace(hour=0, minute=0)
    return {"date": {"type": kind, "s_timestamp": str(_seconds(moment))}}


def _daterange(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    """``halfday``: a half day is named by 00:00 or 12:00, and the end is the last one that belongs to the range."""
    ends = members(value)
    if len(ends) != 2:
        raise ValueRefused("日期区间需要开始和结束两个日期", "a date range needs a start and an end")
    kind = control.format or "halfday"
    begin, end = (_moment(item, zone) for item in ends)
    whole = timedelta()
    if kind != "hour":
        begin = begin.replace(hour=0 if begin.hour < 12 else 12, minute=0)
        # a plain date stands for all of its day
        afternoon = end.hour >= 12 or end.time() == time()
        end, whole = end.replace(hour=12 if afternoon else 0, minute=0), _HALF_DAY
    if begin > end:
        raise ValueRefused(f"开始 {begin} 晚于结束 {end}", f"the start {begin} is after the end {end}")
    duration = _seconds(end) - _seconds(begin) + int(whole.total_seconds())
    return {
        "date_range": {
            "type": kind,
            "new_begin": _seconds(begin),
            "new_end": _seconds(end),
            "new_duration": duration,
        }
    }


def _selector(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    chosen = [option_of(control, item).key for item in members(value)]
    if control.type is ControlType.SELECT and len(chosen) > 1:
        raise ValueRefused(f"单选控件有 {len(chosen)} 个值", f"a single choice has {len(chosen)} values")
    return {"selector": {"type": _selector_type(control), "options": [{"key": key} for key in dict.fromkeys(chosen)]}}


def _selector_type(control: Control) -> str:
    return "multi" if control.type is ControlType.MULTISELECT else "single"


def _members(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {"members": _named(control, value, "userid")}


def _departments(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {"departments": _named(control, value, "openapi_id")}


def _named(control: Control, value: Any, key: str) -> list[dict[str, str]]:
    """``[{key, name}]`` from ids or from such objects; whether the name may be left out is not documented."""
    entries = [value] if isinstance(value, Mapping) else members(value)
    written = []
    for entry in entries:
        given = entry if isinstance(entry, Mapping) else {key: entry}
        identifier = plain_text(given.get(key) or given.get("user_id") or "").strip()
        if not identifier:
            raise ValueRefused("含有空的编号", "holds an empty id")
        written.append({key: identifier, "name": plain_text(given.get("name") or identifier)})
    if control.format == "single" and len(written) > 1:
        raise ValueRefused(f"只能选一个，给了 {len(written)} 个", f"takes one, not {len(written)}")
    return written


def _files(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    entries = [value] if isinstance(value, Mapping) else members(value)
    for entry in entries:
        if isinstance(entry, File):
            raise ValueRefused(
                f"文件“{entry['name']}”还没有上传：请先用 upload_attachment，再把它的结果放进附件控件",
                f"the file {entry['name']!r} is not uploaded yet: call upload_attachment, and map what that yields",
            )
    ids = [entry.get("file_id") or entry.get("media_id") if isinstance(entry, Mapping) else entry for entry in entries]
    if any(is_empty(item) for item in ids):
        raise ValueRefused("附件缺少 file_id", "a file lacks its file_id")
    return {"files": [{"file_id": plain_text(item)} for item in ids]}


def _related(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {"related_approval": [{"sp_no": _approval_id(item)} for item in members(value)]}


def _approval_id(item: Any) -> str:
    return plain_text(item.get("instance_id") if isinstance(item, Mapping) else item)


def _location(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    given = parsed(value)
    lacking = [key for key in _LOCATION if not isinstance(given, Mapping) or is_empty(given.get(key))]
    if lacking:
        names = "、".join(lacking)
        raise ValueRefused(f"位置缺少 {names}", f"the location lacks {names}")
    place: dict[str, Any] = {key: plain_text(given[key]) for key in _LOCATION}
    if not is_empty(given.get("time")):
        place["time"] = int(number_text(given["time"]))
    return {"location": place}


def _note(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    raise ValueRefused("说明文字和计算公式不能赋值", "an explanatory text or a formula cannot be set")


def _other(control: Control, value: Any, zone: ZoneInfo) -> dict[str, Any]:
    """Attendance, Vacation, BankAccount …: the documented object as it is; without a vendor's name it is a text."""
    given = parsed(value)
    if isinstance(given, Mapping):
        return dict(given)
    if not control.vendor:
        return _text(control, value, zone)
    raise ValueRefused(
        f"{control.vendor} 控件的值应为企业微信文档中的 JSON 对象",
        f"the value of a {control.vendor} control is the JSON object that WeCom documents",
    )


def _moment(value: Any, zone: ZoneInfo) -> datetime:
    found = to_date(value, zone)
    if isinstance(found, datetime):
        return found.replace(second=0, microsecond=0)
    return datetime.combine(found, time(), zone)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


_ENCODERS: dict[ControlType, Callable[[Control, Any, ZoneInfo], dict[str, Any]]] = {
    ControlType.TEXT: _text,
    ControlType.TEXTAREA: _textarea,
    ControlType.NUMBER: _number,
    ControlType.MONEY: _money,
    ControlType.SELECT: _selector,
    ControlType.MULTISELECT: _selector,
    ControlType.DATE: _date,
    ControlType.DATERANGE: _daterange,
    ControlType.CONTACT: _members,
    ControlType.DEPARTMENT: _departments,
    ControlType.ATTACHMENT: _files,
    ControlType.RELATION: _related,
    ControlType.ADDRESS: _location,
    ControlType.NOTE: _note,
}

"""How the value of one control is written: always a string, structured values as JSON inside it.

DingTalk open platform, 发起审批实例, the table of controls and their value formats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.connectors.files import File
from runtime.connectors.filling import is_empty, number_text, option_of, plain_text
from runtime.errors import MappingFailed, ValueRefused
from runtime.mapping.forms import Control, ControlType
from runtime.mapping.values import members, open_zone, to_date

__all__ = ["LONGEST_VALUE", "encode_value", "user_ids"]

#: Characters in one value, tables included.
LONGEST_VALUE = 65_535

_DATE = re.compile(r"(\d{4})(?:(\d\d)(\d\d)|[-/](\d{1,2})[-/](\d{1,2}))(?:[T ][0-9:.+Z-]*)?", re.ASCII)
_PHONE = re.compile(r"\+?[\d()\s-]{3,30}", re.ASCII)
_ATTACHMENT = ("spaceId", "fileName", "fileSize", "fileType", "fileId")


def encode_value(control: Control, value: Any) -> str:
    """The string that a control (anything but a table) is filled with; ``value`` is not empty.

    :raises ValueRefused: the value does not fit the control (``where`` is left to the caller)
    """
    return _ENCODERS.get(control.type, _text)(control, value)


def _text(control: Control, value: Any) -> str:
    """Line breaks as DingTalk wants them."""
    text = plain_text(value)
    return re.sub(r"\r\n|\r|\n", "\r\n", text) if "\n" in text or "\r" in text else text


def _number(control: Control, value: Any) -> str:
    return number_text(value)


def _select(control: Control, value: Any) -> str:
    return option_of(control, value).key


def _multiselect(control: Control, value: Any) -> str:
    return _json([_select(control, item) for item in members(value)])


def _date(control: Control, value: Any) -> str:
    if isinstance(value, date):  # a datetime is one too: its own calendar day
        return value.strftime("%Y-%m-%d")
    found = None
    if isinstance(value, str):
        with suppress(MappingFailed):  # a moment with an offset is a day of this zone
            return to_date(value, open_zone(DEFAULT_TIMEZONE)).strftime("%Y-%m-%d")
        found = _DATE.fullmatch(value.strip())
    if found:
        try:
            year, month, day = (int(part) for part in found.groups() if part is not None)
            return date(year, month, day).isoformat()
        except ValueError:
            pass
    raise ValueRefused(f"不是日期：{value!r}", f"is not a date: {value!r}")


def _daterange(control: Control, value: Any) -> str:
    ends = members(value)
    if len(ends) != 2:
        raise ValueRefused("日期区间需要开始和结束两个日期", "a date range needs a start and an end")
    start, end = (_date(control, item) for item in ends)
    if start > end:
        raise ValueRefused(f"开始日期 {start} 晚于结束日期 {end}", f"the start {start} is after the end {end}")
    return _json([start, end])


def _photo(control: Control, value: Any) -> str:
    addresses = [plain_text(item) for item in members(value)]
    for address in addresses:
        if not address.startswith(("http://", "https://", "@")):  # @ begins the id of an uploaded picture
            raise ValueRefused(f"图片地址无效：{address!r}", f"is not the address of a picture: {address!r}")
    return _json(addresses)


def _attachment(control: Control, value: Any) -> str:
    files = members(value)
    written = []
    for item in files:
        if isinstance(item, File):
            raise ValueRefused(
                f"文件“{item['name']}”还没有上传：请先用 upload_attachment，再把它的结果放进附件控件",
                f"the file {item['name']!r} is not uploaded yet: call upload_attachment, and map what that yields",
            )
        lacking = [key for key in _ATTACHMENT if not isinstance(item, Mapping) or is_empty(item.get(key))]
        if lacking:
            names = "、".join(lacking)
            raise ValueRefused(f"附件缺少 {names}", f"the attachment lacks {names}")
        written.append({key: plain_text(item[key]) for key in _ATTACHMENT})
    return _json(written)


def user_ids(value: Any) -> list[str]:
    """The ids in the value of a contact control: of ids, or of users as ``find_user`` yields them.

    :raises ValueRefused: an id is empty, or no single text or number
    """
    return _listed_ids(value, "user_id")


def _listed_ids(value: Any, key: str) -> list[str]:
    ids = [plain_text(item.get(key) if isinstance(item, Mapping) else item) for item in members(value)]
    if any(not item.strip() for item in ids):
        raise ValueRefused("含有空的编号", "holds an empty id")
    return ids


def _contact(control: Control, value: Any) -> str:
    return _json(user_ids(value))


def _relation(control: Control, value: Any) -> str:
    return _json(_listed_ids(value, "instance_id"))


def _department(control: Control, value: Any) -> str:
    """One id is written as it is, several as a list: which of the two DingTalk wants is not documented."""
    ids = _listed_ids(value, "department_id")
    return _json(ids) if isinstance(value, list | tuple) else ids[0] if len(ids) == 1 else _json(ids)


def _phone(control: Control, value: Any) -> str:
    text = plain_text(value).strip()
    if not _PHONE.fullmatch(text):
        raise ValueRefused(f"不是电话号码：{text!r}", f"is not a phone number: {text!r}")
    return text


def _note(control: Control, value: Any) -> str:
    raise ValueRefused("说明文字不能赋值", "an explanatory text cannot be set")


def _json(value: Any) -> str:
    return jsontext.dumps(value).decode()


_ENCODERS: dict[ControlType, Callable[[Control, Any], str]] = {
    ControlType.NUMBER: _number,
    ControlType.MONEY: _number,
    ControlType.RATING: _number,
    ControlType.SELECT: _select,
    ControlType.MULTISELECT: _multiselect,
    ControlType.DATE: _date,
    ControlType.DATERANGE: _daterange,
    ControlType.PHOTO: _photo,
    ControlType.ATTACHMENT: _attachment,
    ControlType.CONTACT: _contact,
    ControlType.RELATION: _relation,
    ControlType.PHONE: _phone,
    ControlType.DEPARTMENT: _department,
    ControlType.NOTE: _note,
}

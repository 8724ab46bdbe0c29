"""How the value of one e-cology field is written.

e-cology 9, 流程接口 doCreateRequest: every value is text; a selection is the index of its option, people and
departments are their numbers, several of them separated by commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from runtime import jsontext
from runtime.connectors.weaver.settings import WeaverSettings
from runtime.errors import MappingFailed, ValueRefused
from runtime.mapping.forms import Control, ControlType, Option
from runtime.mapping.values import is_blank, shown, to_date, to_number, to_text

__all__ = ["CHECK", "Style", "encode_value", "style_of"]

#: The options of a check box.
CHECK = (Option(key="1", label="是"), Option(key="0", label="否"))

_TRUE = {"1", "y", "yes", "true", "tyes", "是"}
_FALSE = {"0", "n", "no", "false", "tno", "否"}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_FILE = ("filePath", "fileName")
_Encoder = Callable[[Control, Any, "Style"], Any]
_PATTERNS = (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"))


@dataclass(frozen=True, kw_only=True)
class Style:
    """How this e-cology writes dates and times."""

    date: str
    time: str
    zone: ZoneInfo


def style_of(settings: WeaverSettings) -> Style:
    """The formats of a connection."""
    return Style(date=settings.date_format, time=settings.time_format, zone=ZoneInfo(settings.timezone))


def encode_value(control: Control, value: Any, style: Style) -> Any:
    """What a field (anything but a detail table) is filled with: text, or for attachments a list of files.

    :raises ValueRefused: the value does not fit the field (``where`` is left to the caller)
    """
    encode: _Encoder = _ENCODERS.get(control.type, _text)
    try:
        return encode(control, value, style)
    except MappingFailed as error:
        raise ValueRefused(error.zh, error.en) from error


def _text(control: Control, value: Any, style: Style) -> str:
    if isinstance(value, datetime):
        return value.astimezone(style.zone).strftime(_pattern(f"{style.date} {style.time}"))
    if isinstance(value, date):
        return value.strftime(_pattern(style.date))
    if isinstance(value, time):
        return value.strftime(_pattern(style.time))
    return to_text(value)


def _number(control: Control, value: Any, style: Style) -> str:
    return to_text(to_number(value))


def _moment(control: Control, value: Any, style: Style) -> str:
    wanted = control.format or style.date
    pattern = _pattern(wanted)
    if "%Y" not in pattern and "%d" not in pattern:
        return _clock(value, style).strftime(pattern)
    day = to_date(value, style.zone)
    return day.strftime(pattern) if isinstance(day, datetime) else datetime.combine(day, time()).strftime(pattern)


def _clock(value: Any, style: Style) -> time:
    """A time of day: ``HH:mm[:ss]``, as B1's number ``930``, or the time of a moment."""
    if isinstance(value, time):
        return value
    text = str(value).strip()
    found = _CLOCK.fullmatch(text)
    try:
        if found:
            return time(int(found[1]), int(found[2]), int(found[3] or 0))
        if text.isascii() and text.isdecimal() and len(text) <= 4:
            return time(int(text) // 100, int(text) % 100)
    except ValueError:
        raise ValueRefused(f"不是时间：{value!r}", f"is not a time of day: {value!r}") from None
    moment = to_date(value, style.zone)
    if isinstance(moment, datetime):
        return moment.time()
    raise ValueRefused(f"不是时间：{value!r}", f"is not a time of day: {value!r}")


def _check_box(control: Control, value: Any, style: Style) -> str:
    text = _text(control, value, style).strip()
    if control.options != CHECK:
        return text
    if text.lower() not in _TRUE | _FALSE:
        raise ValueRefused(f"{shown(text)} 不是“是”或“否”", f"{shown(text)} is neither yes nor no")
    return "1" if text.lower() in _TRUE else "0"


def _select(control: Control, value: Any, style: Style) -> str:
    """The key of an option; what is one option's label and another one's key means the label, as people read it."""
    text = to_text(value).strip()
    by_name = {option.key: option.key for option in control.options}
    by_name |= {option.label: option.key for option in reversed(control.options)}  # the first of two alike
    if text in by_name:
        return by_name[text]
    if not control.options:
        return text
    choices = "、".join(option.label for option in control.options[:20])
    raise ValueRefused(f"“{text}”不是可选项（{choices}）", f"'{text}' is not an option ({choices})")


def _multiselect(control: Control, value: Any, style: Style) -> str:
    return ",".join(_select(control, item, style) for item in _items(value))


def _numbers(control: Control, value: Any, style: Style) -> str:
    ids = [to_text(item).strip() for item in _items(value)]
    for text in ids:
        if not (text.isascii() and text.removeprefix("-").isdecimal()):
            raise ValueRefused(
                f"{shown(text)} 不是 OA 的编号（人员、部门填数字编号，不是登录名）",
                f"{shown(text)} is not a number of the OA (people and departments are numbers, not login names)",
            )
    return ",".join(ids)


def _list(control: Control, value: Any, style: Style) -> str:
    return ",".join(to_text(item).strip() for item in _items(value))


def _files(control: Control, value: Any, style: Style) -> list[dict[str, str]]:
    given = value if isinstance(value, list | tuple) else (value,)
    for item in given:
        if not isinstance(item, Mapping) or any(is_blank(item.get(name)) for name in _FILE):
            raise ValueRefused("附件需要 filePath 和 fileName", "An attachment needs filePath and fileName")
    return [{name: to_text(item[name]) for name in _FILE} for item in given]


def _refuse(control: Control, value: Any, style: Style) -> str:
    raise ValueRefused("此字段不能赋值", "This field cannot be set")


def _items(value: Any) -> Sequence[Any]:
    """The members of a list, of a JSON array or a comma list in a string, or the one value itself."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                found = jsontext.loads(value)
            except ValueError:
                return (value,)
            return found if isinstance(found, list) else (value,)
        return [part for part in value.split(",") if part.strip()]
    return value if isinstance(value, list | tuple) else (value,)


def _pattern(wanted: str) -> str:
    """``yyyy-MM-dd HH:mm:ss`` as ``strftime`` writes it."""
    pattern = wanted.replace("%", "%%")
    for ours, theirs in _PATTERNS:
        pattern = pattern.replace(ours, theirs)
    return pattern


_ENCODERS: dict[ControlType, _Encoder] = {
    ControlType.NUMBER: _number,
    ControlType.MONEY: _number,
    ControlType.RATING: _number,
    ControlType.SELECT: _select,
    ControlType.MULTISELECT: _multiselect,
    ControlType.DATE: _moment,
    ControlType.CONTACT: _numbers,
    ControlType.DEPARTMENT: _numbers,
    ControlType.RELATION: _list,
    ControlType.ATTACHMENT: _files,
    ControlType.OTHER: _check_box,
    ControlType.DATERANGE: _refuse,
    ControlType.NOTE: _refuse,
}

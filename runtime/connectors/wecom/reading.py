"""How the value of one control comes back (WeCom developer centre, 获取审批申请详情, the table of controls).

It carries empty keys of other kinds of control too, so a value is always picked by its ``control``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from runtime.connectors.compare import text_of
from runtime.connectors.filling import is_empty

__all__ = ["chinese_text", "comparable", "list_in", "mapping_in", "read_value"]

_Value = Mapping[str, Any]


def read_value(control: str, value: Any, zone: ZoneInfo) -> str:
    """One control of an approval (anything but a table) as text a person can read."""
    return _READERS.get(control, _other)(mapping_in(value), zone)


def comparable(control: str, value: Any, zone: ZoneInfo) -> str:
    """The same, but by keys and ids: what was submitted and what comes back can be compared."""
    given = mapping_in(value)
    match control:
        case "Selector":
            return ",".join(sorted(text_of(option.get("key")) for option in _options(given)))
        case "Contact":
            return ",".join(sorted(text_of(one.get("userid") or one.get("openapi_id")) for one in _people(given)))
        case "Location":
            return text_of(mapping_in(given.get("location")).get("title"))
    return read_value(control, value, zone)


def chinese_text(texts: Any) -> str:
    """The Chinese one of ``[{"text", "lang"}]``, else the first; plain text as it is."""
    if isinstance(texts, str):
        return texts
    known = [entry for entry in list_in(texts) if entry.get("text")]
    chinese = [entry for entry in known if str(entry.get("lang")).replace("-", "_") == "zh_CN"]
    return next((str(entry["text"]) for entry in [*chinese, *known]), "")


def mapping_in(value: Any) -> _Value:
    """An object, or an empty one where there is something else."""
    return value if isinstance(value, Mapping) else {}


def list_in(value: Any) -> list[_Value]:
    """The objects of a list; nothing where there is something else."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _text(value: _Value, zone: ZoneInfo) -> str:
    return text_of(value.get("text"))


def _number(value: _Value, zone: ZoneInfo) -> str:
    return text_of(value.get("new_number") or value.get("number"))


def _money(value: _Value, zone: ZoneInfo) -> str:
    return text_of(value.get("new_money") or value.get("money"))


def _date(value: _Value, zone: ZoneInfo) -> str:
    found = mapping_in(value.get("date"))
    return _moment(found.get("s_timestamp"), str(found.get("type")) == "day", zone)


def _date_range(value: _Value, zone: ZoneInfo) -> str:
    found = mapping_in(value.get("date_range"))
    by_day = str(found.get("type")) == "halfday"
    ends = [_moment(found.get(name), by_day, zone) for name in ("new_begin", "new_end")]
    return " ~ ".join(end for end in ends if end)


def _selector(value: _Value, zone: ZoneInfo) -> str:
    return "、".join(chinese_text(option.get("value")) or text_of(option.get("key")) for option in _options(value))


def _contact(value: _Value, zone: ZoneInfo) -> str:
    return "、".join(text_of(one.get("name") or one.get("userid") or one.get("openapi_id")) for one in _people(value))


def _file(value: _Value, zone: ZoneInfo) -> str:
    return "、".join(text_of(one.get("file_id")) for one in list_in(value.get("files")))


def _related(value: _Value, zone: ZoneInfo) -> str:
    return "、".join(text_of(one.get("sp_no")) for one in list_in(value.get("related_approval")))


def _location(value: _Value, zone: ZoneInfo) -> str:
    place = mapping_in(value.get("location"))
    return " ".join(text_of(place[key]) for key in ("title", "address") if place.get(key))


def _formula(value: _Value, zone: ZoneInfo) -> str:
    return text_of(mapping_in(value.get("formula")).get("value"))


def _other(value: _Value, zone: ZoneInfo) -> str:
    kept = {key: part for key, part in value.items() if not is_empty(part)}
    return text_of(kept) if kept else ""


def _options(value: _Value) -> list[_Value]:
    return list_in(mapping_in(value.get("selector")).get("options"))


def _people(value: _Value) -> list[_Value]:
    return [*list_in(value.get("members")), *list_in(value.get("departments"))]


def _moment(seconds: Any, by_day: bool, zone: ZoneInfo) -> str:
    try:
        moment = datetime.fromtimestamp(int(seconds), zone)
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
    return f"{moment:%Y-%m-%d}" if by_day else f"{moment:%Y-%m-%d %H:%M}"


_READERS: dict[str, Callable[[_Value, ZoneInfo], str]] = {
    "Text": _text,
    "Textarea": _text,
    "Number": _number,
    "Money": _money,
    "Date": _date,
    "DateRange": _date_range,
    "Selector": _selector,
    "Contact": _contact,
    "File": _file,
    "RelatedApproval": _related,
    "Location": _location,
    "Formula": _formula,
}

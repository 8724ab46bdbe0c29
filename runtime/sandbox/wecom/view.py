"""A filled WeCom form as the approver reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox.oa.view import ShownField
from runtime.sandbox.wecom.instances import Instance

__all__ = ["shown_fields"]

_ZONE = ZoneInfo(DEFAULT_TIMEZONE)
#: Controls whose values read well in the list.
_BRIEF = ("Text", "Textarea", "Number", "Money", "Selector", "Date")


def shown_fields(instance: Instance) -> list[ShownField]:
    """The controls that were filled, in the template's order."""
    return [_field(content) for content in instance.contents]


def _field(content: Mapping[str, Any]) -> ShownField:
    label = content["title"][0]["text"]
    if content["control"] != "Table":
        return ShownField(label, _text(content), brief=content["control"] in _BRIEF)
    rows = [{cell["title"][0]["text"]: _text(cell) for cell in row["list"]} for row in content["value"]["children"]]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return ShownField(
        label, columns=columns, rows=[[row.get(name, "") for name in columns] for row in rows], is_table=True
    )


def _text(content: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one line per control reads best
    value = content["value"]
    match content["control"]:
        case "Text" | "Textarea":
            return str(value["text"])
        case "Number":
            return str(value["new_number"])
        case "Money":
            return str(value["new_money"])
        case "Date":
            return _moment(value["date"]["s_timestamp"], value["date"]["type"])
        case "DateRange":
            found = value["date_range"]
            return f"{_moment(found['new_begin'], 'hour')} 至 {_moment(found['new_end'], 'hour')}"
        case "Selector":
            return "、".join(option["value"][0]["text"] for option in value["selector"]["options"])
        case "Contact":
            return "、".join(entry["name"] for entry in [*value["members"], *value["departments"]])
        case "File":
            return "、".join(file["file_id"] for file in value["files"])
        case "RelatedApproval":
            return "、".join(entry["sp_no"] for entry in value["related_approval"])
        case "Location":
            return f"{value['location']['title']} {value['location']['address']}"
    own = {key: part for key, part in value.items() if part not in (None, "", [], {})}
    return msgspec.json.encode(own).decode()


def _moment(seconds: object, kind: str) -> str:
    if not seconds:
        return ""
    moment = datetime.fromtimestamp(int(str(seconds)), _ZONE)
    return f"{moment:%Y-%m-%d}" if kind == "day" else f"{moment:%Y-%m-%d %H:%M}"

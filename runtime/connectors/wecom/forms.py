"""WeCom templates: controls with ids and titles, and a filled form as ``apply_data.contents``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from runtime.connectors.filling import MISSING, is_empty, refuse
from runtime.connectors.wecom.reading import chinese_text, mapping_in
from runtime.connectors.wecom.values import empty_value, encode_value, vendor_name
from runtime.errors import FormGone, MappingFailed, ValueRefused
from runtime.mapping.forms import Control, ControlType, Form, Option

__all__ = ["content_of", "encode_form", "parse_form", "resolve"]

#: Files in one approval.
_MOST_FILES = 6

_CONTROLS = {
    "Text": ControlType.TEXT,
    "Textarea": ControlType.TEXTAREA,
    "Number": ControlType.NUMBER,
    "Money": ControlType.MONEY,
    "Date": ControlType.DATE,
    "DateRange": ControlType.DATERANGE,
    "Table": ControlType.TABLE,
    "File": ControlType.ATTACHMENT,
    "Location": ControlType.ADDRESS,
    "RelatedApproval": ControlType.RELATION,
    "Tips": ControlType.NOTE,
    "Formula": ControlType.NOTE,
}


def parse_form(code: str, answer: Mapping[str, Any]) -> Form:
    """The form behind a template id (WeCom developer centre, 获取审批模板详情).

    :raises FormGone: the answer holds no controls
    """
    controls = mapping_in(answer.get("template_content")).get("controls")
    if not isinstance(controls, list):
        raise FormGone("审批模板没有内容", "The approval template has no content", where=code)
    return Form(
        code=code,
        title=chinese_text(answer.get("template_names")) or code,
        controls=tuple(_control(item) for item in controls if isinstance(item, Mapping)),
    )


def _control(item: Mapping[str, Any]) -> Control:
    shown, config = mapping_in(item.get("property")), mapping_in(item.get("config"))
    vendor, name = str(shown.get("control") or ""), str(shown.get("id") or "")
    own = _own_config(config, vendor)
    kind = _CONTROLS.get(vendor, ControlType.OTHER)
    if vendor == "Selector":
        kind = ControlType.MULTISELECT if own.get("type") == "multi" else ControlType.SELECT
    elif vendor == "Contact":
        kind = ControlType.DEPARTMENT if own.get("mode") == "department" else ControlType.CONTACT
    form = str(own.get("type") or "") if kind in (ControlType.DATE, ControlType.DATERANGE) else ""
    if kind in (ControlType.CONTACT, ControlType.DEPARTMENT) and own.get("type") == "single":
        form = "single"
    return Control(
        id=name,
        label=chinese_text(shown.get("title")) or name,
        type=kind,
        required=str(shown.get("require")).lower() in ("1", "true"),
        options=tuple(_options(own.get("options"))),
        children=tuple(_control(child) for child in own.get("children") or () if isinstance(child, Mapping)),
        format=form,
        vendor=vendor if kind is ControlType.OTHER else "",
    )


def _own_config(config: Mapping[str, Any], vendor: str) -> Mapping[str, Any]:
    """The object of a control inside ``config``; its key is documented for some controls only (``date``, ``selector``),
    so the name in any spelling is accepted, and the fields standing there directly."""
    wanted = vendor.lower()
    found = next((value for key, value in config.items() if key.lower().replace("_", "") == wanted), None)
    return found if isinstance(found, Mapping) else config


def _options(options: Any) -> Iterator[Option]:
    for entry in options if isinstance(options, list) else ():
        key = str(mapping_in(entry).get("key") or "")
        if key:
            yield Option(key=key, label=chinese_text(entry.get("value")) or key)


def resolve(values: Mapping[str, Any], form: Form) -> dict[str, Control]:
    """Target as written (id or title) → control of the template; an unknown one is missing from the result."""
    by_name = {control.label: control for control in form.controls} | {control.id: control for control in form.controls}
    required = {control.id: control for control in form.controls if control.required}
    return required | {str(to): by_name[to] for to in values if to in by_name}


def encode_form(values: Mapping[str, Any], controls: Mapping[str, Control], zone: ZoneInfo) -> list[dict[str, Any]]:
    """``apply_data.contents`` of a filled form; empty optional controls are left out.

    :param controls: target as written → control
    :param zone: time zone of dates
    :raises ValueRefused: names every control (for tables with the row) that is unknown, missing or malformed
    """
    problems: list[ValueRefused] = []
    filled: dict[str, dict[str, Any]] = {}
    for to, value in values.items():
        control = controls.get(to)
        where = control.label if control else str(to)
        try:
            if control is None:
                raise ValueRefused("模板没有这个控件", "The template has no such control")
            if control.id in filled:
                raise ValueRefused("同一控件赋值两次", "The control is filled twice")
            if is_empty(value):
                continue
            filled[control.id] = content_of(control, value, zone, problems)
        except (ValueRefused, MappingFailed) as error:
            problems.append(ValueRefused(error.zh, error.en, where=error.where or where))
    refused = {problem.where for problem in problems}
    for control in {control.id: control for control in controls.values() if control.required}.values():
        if control.id not in filled and control.label not in refused and control.type is not ControlType.NOTE:
            problems.append(ValueRefused(*MISSING, where=control.label))
    files = sum(len(value.get("files", ())) for value in _values(filled.values()))
    if files > _MOST_FILES:
        problems.append(
            ValueRefused(
                f"附件有 {files} 个，最多 {_MOST_FILES} 个", f"has {files} files, at most {_MOST_FILES} may be sent"
            )
        )
    if not problems and not filled:
        problems.append(ValueRefused("表单没有任何值", "The form holds no value"))
    refuse(problems)
    return list(filled.values())


def content_of(control: Control, value: Any, zone: ZoneInfo, problems: list[ValueRefused]) -> dict[str, Any]:
    """``{"control", "id", "value"}`` of one control.

    :param problems: takes what is wrong with the cells of a table
    :raises ValueRefused: the value does not fit the control
    :raises MappingFailed: it is no date
    """
    if control.type is ControlType.TABLE:
        written = {"children": _rows(control, value, zone, problems)}
    else:
        written = encode_value(control, value, zone)
    return {"control": vendor_name(control), "id": control.id, "value": written}


def _rows(table: Control, rows: Any, zone: ZoneInfo, problems: list[ValueRefused]) -> list[dict[str, Any]]:
    """Every row carries every column of the template, empty where it has no value."""
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueRefused("明细需要一行一行的数据", "A table needs rows of named values")
    columns = [child for child in table.children if child.type is not ControlType.NOTE]
    names = {name for child in table.children for name in (child.id, child.label)}
    written = []
    for number, row in enumerate(rows, start=1):
        place = f"{table.label}[{number}]"
        for name in row:
            if name not in names:
                problems.append(ValueRefused("明细没有这一列", "The table has no such column", where=f"{place}.{name}"))
        cells = []
        for column in columns:
            value = row.get(column.id, row.get(column.label))
            try:
                if is_empty(value):
                    if column.required:
                        raise ValueRefused(*MISSING)
                    cells.append({"control": vendor_name(column), "id": column.id, "value": empty_value(column)})
                else:
                    cells.append(content_of(column, value, zone, problems))
            except (ValueRefused, MappingFailed) as error:
                problems.append(ValueRefused(error.zh, error.en, where=f"{place}.{column.label}"))
        written.append({"list": cells})
    return written


def _values(contents: Any) -> Iterator[Mapping[str, Any]]:
    for content in contents:
        yield content["value"]
        for row in content["value"].get("children", ()):
            yield from _values(row["list"])

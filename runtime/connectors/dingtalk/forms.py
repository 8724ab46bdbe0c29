"""DingTalk forms: the schema of a process as controls, and a filled form as ``formComponentValues``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime import jsontext
from runtime.connectors.dingtalk.values import LONGEST_VALUE, encode_value, user_ids
from runtime.connectors.filling import MISSING, is_empty, refuse
from runtime.errors import FormGone, ValueRefused
from runtime.jsontext import object_of
from runtime.mapping.forms import Control, ControlType, Form, Option
from runtime.mapping.mapper import MappedForm

__all__ = ["encode_form", "named_users", "parse_form"]

#: Controls in one approval.
_MOST_CONTROLS = 150

_COMPONENTS = {
    "TextField": ControlType.TEXT,
    "TextareaField": ControlType.TEXTAREA,
    "NumberField": ControlType.NUMBER,
    "MoneyField": ControlType.MONEY,
    "DDSelectField": ControlType.SELECT,
    "DDMultiSelectField": ControlType.MULTISELECT,
    "DDDateField": ControlType.DATE,
    "DDDateRangeField": ControlType.DATERANGE,
    "DDPhotoField": ControlType.PHOTO,
    "TableField": ControlType.TABLE,
    "DDAttachment": ControlType.ATTACHMENT,
    "InnerContactField": ControlType.CONTACT,
    "DepartmentField": ControlType.DEPARTMENT,
    "RelateField": ControlType.RELATION,
    "PhoneField": ControlType.PHONE,
    "AddressField": ControlType.ADDRESS,
    "StarRatingField": ControlType.RATING,
    "TextNote": ControlType.NOTE,
}


def parse_form(code: str, answer: Mapping[str, Any]) -> Form:
    """The form behind a process code (DingTalk open platform, 获取表单schema).

    :raises FormGone: the answer holds no controls
    """
    result = object_of(answer.get("result"))
    content = object_of(result.get("schemaContent"))
    items = content.get("items")
    if not isinstance(items, list):
        raise FormGone("审批表单没有内容", "The approval form has no content", where=code)
    return Form(
        code=code,
        title=str(result.get("name") or content.get("title") or code),
        controls=tuple(_control(item) for item in items if isinstance(item, dict)),
    )


def _control(item: Mapping[str, Any]) -> Control:
    props = object_of(item.get("props"))
    name = str(props.get("id") or "")
    label = props.get("label") or props.get("content") or name
    return Control(
        id=name or str(label),
        # a date range carries two labels as a JSON array, and wants it back as such
        label=jsontext.dumps(label).decode() if isinstance(label, list) else str(label),
        type=_COMPONENTS.get(str(item.get("componentName")), ControlType.OTHER),
        required=str(props.get("required")).lower() == "true",
        options=tuple(_options(props.get("options"))),
        children=tuple(_control(child) for child in item.get("children") or () if isinstance(child, dict)),
        format=str(props.get("format") or ""),
        unit=str(props.get("unit") or ""),
    )


def _options(options: Any) -> Iterator[Option]:
    """Plain strings, objects, or objects written as JSON strings; what is submitted is the text a person sees."""
    for entry in options if isinstance(options, list) else ():
        found = object_of(entry)
        text = found.get("value") or found.get("label") or found.get("text") if found else entry
        if not is_empty(text):
            name = str(found.get("key") or "")
            yield Option(key=str(text), label=str(text), id="" if name == str(text) else name)


def encode_form(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """``formComponentValues`` of a filled form.

    A mapped form brings its controls with it: every value is then checked against its control. In a plain dict the
    keys are labels, a list of dicts is a table, any other list a JSON array, and everything else text. Empty optional
    controls are left out.

    :raises ValueRefused: names every control (for tables with the row) that is unknown, missing or malformed
    """
    controls = values.controls if isinstance(values, MappedForm) else {}
    problems: list[ValueRefused] = []
    written = list(_fill(values, controls, "", problems))
    if not problems and not written:
        problems.append(ValueRefused("表单没有任何值", "The form holds no value"))
    if len(written) > _MOST_CONTROLS:
        problems.append(
            ValueRefused(
                f"表单有 {len(written)} 个控件，最多 {_MOST_CONTROLS} 个",
                f"The form has {len(written)} controls, at most {_MOST_CONTROLS} are allowed",
            )
        )
    refuse(problems)
    return written


def named_users(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everybody whom the contact controls of a mapped form name: (control, user id), each person once.

    :param values: a form that :func:`encode_form` takes
    """
    found: dict[str, str] = {}
    if isinstance(values, MappedForm):
        for where, control, value in _cells(values, values.controls, ""):
            if control.type is ControlType.CONTACT and not is_empty(value):
                found |= {user: where for user in user_ids(value) if user not in found}
    return [(where, user) for user, where in found.items()]


def _cells(
    values: Mapping[str, Any], controls: Mapping[str, Control], prefix: str
) -> Iterator[tuple[str, Control, Any]]:
    for to, value in values.items():
        control = controls.get(to)
        if control is None:
            continue
        where = prefix + control.label
        if control.type is not ControlType.TABLE:
            yield where, control, value
            continue
        columns = _columns(control)
        for number, row in enumerate(value or (), start=1):
            yield from _cells(row, columns, f"{where}[{number}].")


def _columns(table: Control) -> dict[str, Control]:
    return {child.label: child for child in table.children} | {child.id: child for child in table.children}


def _fill(
    values: Mapping[str, Any], controls: Mapping[str, Control], prefix: str, problems: list[ValueRefused]
) -> Iterator[dict[str, str]]:
    filled: set[str] = set()
    for to, value in values.items():
        control = controls.get(to) if controls else _guess(to, value)
        where = prefix + (control.label if control else str(to))
        try:
            if control is None:
                raise ValueRefused("表单没有这个控件", "The form has no such control")
            if control.label in filled:
                raise ValueRefused("同名控件赋值两次", "Two controls of this name are filled")
            filled.add(control.label)
            if is_empty(value):
                if control.required:
                    raise ValueRefused(*MISSING)
                continue
            if control.type is ControlType.TABLE:
                text = _table(control, value, where, problems)
            else:
                text = encode_value(control, value)
            if len(text) > LONGEST_VALUE:
                raise ValueRefused(
                    f"内容有 {len(text)} 个字符，最多 {LONGEST_VALUE} 个",
                    f"has {len(text)} characters, at most {LONGEST_VALUE} are allowed",
                )
            yield {"name": control.label, "value": text}
        except ValueRefused as error:
            error.where = where
            problems.append(error)
    for label in dict.fromkeys(control.label for control in controls.values() if control.required):
        if label not in filled:
            problems.append(ValueRefused(*MISSING, where=prefix + label))


def _table(table: Control, rows: Any, where: str, problems: list[ValueRefused]) -> str:
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueRefused("明细需要一行一行的数据", "A table needs rows of named values")
    columns = _columns(table)
    written = []
    for number, row in enumerate(rows, start=1):
        cells = list(_fill(row, columns, f"{where}[{number}].", problems))
        written.append(cells or _blank(table, row))
    return jsontext.dumps(written).decode()


def _blank(table: Control, row: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row without a value keeps its place: one empty cell."""
    names = [child.label for child in table.children] or [str(key) for key in row]
    return [{"name": name, "value": ""} for name in names[:1]]


def _guess(to: str, value: Any) -> Control:
    kind = ControlType.OTHER
    if isinstance(value, list | tuple):
        kind = ControlType.TABLE if any(isinstance(row, Mapping) for row in value) else ControlType.MULTISELECT
    return Control(id=to, label=to, type=kind)

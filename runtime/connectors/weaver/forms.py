"""e-cology forms: a workflow's definition as controls, and a filled form as ``mainData`` and ``detailData``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime.connectors.weaver.answers import data_of
from runtime.connectors.weaver.values import CHECK, Style, encode_value
from runtime.errors import FormGone, ValueRefused
from runtime.jsontext import object_of
from runtime.mapping.forms import Control, ControlType, Form, Option
from runtime.mapping.mapper import MappedForm
from runtime.mapping.values import is_blank

__all__ = ["control_type", "encode_form", "parse_form"]

#: Fields of the request itself; among the form's values e-cology refuses them.
_SYSTEM = {"requestname", "requestlevel", "messagetype"}
_MISSING = ("必填但没有值", "is required but has no value")

#: ``fieldHtmlType`` where it alone decides: text, several lines, browser, check box, selection, file, note, place.
_HTML_TYPES = {
    "1": ControlType.TEXT,
    "2": ControlType.TEXTAREA,
    "3": ControlType.RELATION,
    "4": ControlType.OTHER,
    "5": ControlType.SELECT,
    "6": ControlType.ATTACHMENT,
    "7": ControlType.NOTE,
    "9": ControlType.ADDRESS,
}
#: (``fieldHtmlType``, ``fieldType``) → what it holds, and its date format.
_TYPES: dict[tuple[str, str], tuple[ControlType, str]] = {
    ("1", "2"): (ControlType.NUMBER, ""),
    ("1", "3"): (ControlType.NUMBER, ""),
    ("1", "4"): (ControlType.MONEY, ""),
    ("1", "5"): (ControlType.MONEY, ""),
    ("3", "1"): (ControlType.CONTACT, ""),
    ("3", "17"): (ControlType.CONTACT, ""),
    ("3", "165"): (ControlType.CONTACT, ""),
    ("3", "166"): (ControlType.CONTACT, ""),
    ("3", "4"): (ControlType.DEPARTMENT, ""),
    ("3", "57"): (ControlType.DEPARTMENT, ""),
    ("3", "167"): (ControlType.DEPARTMENT, ""),
    ("3", "168"): (ControlType.DEPARTMENT, ""),
    ("3", "2"): (ControlType.DATE, ""),
    ("3", "19"): (ControlType.DATE, "HH:mm"),
    ("3", "290"): (ControlType.DATE, "yyyy-MM-dd HH:mm"),
    ("5", "2"): (ControlType.MULTISELECT, ""),
}
_A_DATE = {"type": ControlType.DATE, "format": ""}
_LABELS = ("fieldShowName", "fieldLabel", "fieldlabel", "labelName", "fieldname")
_REQUIRED = ("isMand", "mand", "ismand", "isMust")
_VALUES = ("selectvalues", "selectValues")
_NAMES = ("selectnames", "selectNames")


def control_type(html_type: str, field_type: str) -> tuple[ControlType, str]:
    """What a field holds, and its date format, by e-cology's two type numbers."""
    kind = _HTML_TYPES.get(html_type, ControlType.OTHER)
    return _TYPES.get((html_type, field_type), (kind, ""))


def parse_form(code: str, answer: Any) -> Form:
    """The form of a workflow (paService, getCreateWorkflowRequestInfo).

    The builds differ in how they nest and call things: what is called a table field is one, wherever it stands.

    :raises FormGone: the answer holds no fields
    """
    data = object_of(data_of(answer))
    main = object_of(data.get("workflowMainTableInfo") or data.get("mainTableInfo"))
    controls = [_control(field) for field in _fields(main)]
    details = data.get("workflowDetailTableInfos") or data.get("detailTableInfos") or ()
    for number, table in enumerate(details if isinstance(details, list) else (), start=1):
        columns = tuple(_control(field) for field in _fields(table))
        if columns:
            controls.append(_table(object_of(table), columns, number, main))
    if not controls:
        raise FormGone(
            "流程不存在，或没有表单字段", "The workflow does not exist, or its form has no fields", where=code
        )
    base = object_of(data.get("workflowBaseInfo"))
    title = base.get("workflowName") or data.get("workflowName") or data.get("requestName") or code
    return Form(code=code, title=str(title), controls=tuple(controls))


def _fields(part: Any) -> Iterator[Mapping[str, Any]]:
    """The fields of a table's first record: that is where a definition stands."""
    if isinstance(part, list):
        for item in part[:1]:
            yield from _fields(item)
    elif isinstance(part, Mapping):
        found = part.get("workflowRequestTableFields")
        if isinstance(found, list):
            yield from (field for field in found if isinstance(field, Mapping) and field.get("fieldName"))
            return
        for name in ("requestRecords", "workflowRequestTableRecords", "records"):
            if part.get(name):
                yield from _fields(part[name])
                return


def _table(table: Mapping[str, Any], columns: tuple[Control, ...], number: int, main: Mapping[str, Any]) -> Control:
    name = str(table.get("tableDBName") or table.get("tableDbName") or "")
    if not name:
        name = f"{main.get('tableDBName') or main.get('tableDbName') or 'main'}_dt{number}"
    title = str(table.get("tableTitle") or table.get("tableName") or f"明细表{number}")
    return Control(id=name, label=title, type=ControlType.TABLE, children=columns)


def _control(field: Mapping[str, Any]) -> Control:
    name = str(field["fieldName"])
    html_type = str(field.get("fieldHtmlType") or field.get("fieldhtmltype") or "1")
    kind, pattern = control_type(html_type, str(field.get("fieldType") or field.get("type") or ""))
    label = next((str(field[key]) for key in _LABELS if field.get(key)), name)
    required = next((field[key] for key in _REQUIRED if field.get(key) is not None), False)
    options = CHECK if html_type == "4" else tuple(_options(field))
    return Control(
        id=name,
        label=label,
        type=kind,
        required=str(required).lower() in ("true", "1"),
        options=options,
        format=pattern,
    )


def _options(field: Mapping[str, Any]) -> Iterator[Option]:
    """Values with their names beside them, objects that hold both, or an object of value → name."""
    values = next((field[key] for key in _VALUES if field.get(key)), ())
    names = next((field[key] for key in _NAMES if field.get(key)), ())
    if isinstance(values, str):
        values = values.split(",")
    if isinstance(names, str):
        names = names.split(",")
    if isinstance(values, Mapping):
        values = [{"value": key, "name": name} for key, name in values.items()]
    for number, entry in enumerate(values):
        if isinstance(entry, Mapping):
            key = _first(entry, "selectvalue", "selectValue", "value", "key", "id")
            label = _first(entry, "selectname", "selectName", "name", "showname", "label")
        else:
            key, label = entry, names[number] if number < len(names) else entry
        if not is_blank(str(key if key is not None else "")):
            yield Option(key=str(key), label=str(key if is_blank(label) else label))


def _first(entry: Mapping[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def encode_form(
    values: Mapping[str, Any], style: Style, dates: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """``mainData`` and ``detailData`` of a filled form.

    A mapped form brings its controls with it: every value is then checked against its field. In a plain dict the keys
    are columns of the main table, a list of dicts is the detail table of that name, and everything else text. Empty
    optional fields are left out.

    :param dates: columns, of the main table or of details, that hold dates although the form calls them texts
    :raises ValueRefused: names every field (for tables with the row) that is unknown, missing or malformed
    """
    filling = _Filling(style, frozenset(dates))
    main = list(filling.fill(values, values.controls if isinstance(values, MappedForm) else {}))
    if not filling.problems and not main:
        filling.refuse(ValueRefused("主表没有任何值，OA 不接受", "The main table holds no value, which the OA refuses"))
    filling.complain()
    return main, filling.details


class _Filling:
    """One form on its way onto the wire."""

    def __init__(self, style: Style, dates: frozenset[str]) -> None:
        self._style = style
        self._dates = dates
        self.problems: list[ValueRefused] = []
        self.details: list[dict[str, Any]] = []

    def fill(
        self, values: Mapping[str, Any], controls: Mapping[str, Control], row: str = ""
    ) -> Iterator[dict[str, Any]]:
        """The fields of the main table, or of a detail's row; details of the form are collected on the way.

        :param row: what stands before the name of a detail's column in a complaint; empty for the main table
        """
        filled: set[str] = set()
        for to, value in values.items():
            control = controls.get(to) if controls else _guess(to, value)
            where = row + (control.label if control else str(to))
            try:
                if control is None:
                    raise ValueRefused("表单没有这个字段", "The form has no such field")
                _check_target(control, filled)
                if is_blank(value):
                    if control.required:
                        raise ValueRefused(*_MISSING)
                elif control.type is not ControlType.TABLE:
                    typed = control.model_copy(update=_A_DATE) if control.id in self._dates else control
                    yield {"fieldName": control.id, "fieldValue": encode_value(typed, value, self._style)}
                elif row:
                    raise ValueRefused("明细表里不能再有明细表", "A detail table cannot hold another one")
                else:
                    self.details.append(self._detail(control, value, where))
            except ValueRefused as error:
                error.where = where
                self.refuse(error)
        for control in {control.id: control for control in controls.values()}.values():
            if control.required and control.id not in filled:
                self.refuse(ValueRefused(*_MISSING, where=row + control.label))

    def refuse(self, problem: ValueRefused) -> None:
        """Note what is wrong; everything else is looked at all the same."""
        self.problems.append(problem)

    def complain(self) -> None:
        """:raises ValueRefused: with everything that was noted"""
        if len(self.problems) == 1:
            raise self.problems[0]
        if self.problems:
            named = [
                (f"{one.where}：" if one.where else "", f"{one.where}: " if one.where else "", one)
                for one in self.problems
            ]
            raise ValueRefused(
                "；".join(f"{zh}{one.zh}" for zh, _, one in named), "; ".join(f"{en}{one.en}" for _, en, one in named)
            )

    def _detail(self, table: Control, rows: Any, where: str) -> dict[str, Any]:
        if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
            raise ValueRefused("明细需要一行一行的数据", "A detail table needs rows of named values")
        columns = {child.label: child for child in table.children} | {child.id: child for child in table.children}
        records = [
            {
                "recordOrder": 0,  # a new row; rows stand in the order of this list
                "workflowRequestTableFields": list(self.fill(row, columns, f"{where}[{number}].")),
            }
            for number, row in enumerate(rows, start=1)
        ]
        return {"tableDBName": table.id, "workflowRequestTableRecords": records}


def _check_target(control: Control, filled: set[str]) -> None:
    if control.id.lower() in _SYSTEM:
        raise ValueRefused(
            "这是流程自身的字段，请用动作的 title、level 参数",
            "This belongs to the request itself: use the parameters title and level of the action",
        )
    if control.id in filled:
        raise ValueRefused("同一字段赋值两次", "The field is filled twice")
    filled.add(control.id)


def _guess(to: str, value: Any) -> Control:
    is_table = isinstance(value, list | tuple) and any(isinstance(row, Mapping) for row in value)
    if is_table:
        return Control(id=to, label=to, type=ControlType.TABLE)
    return Control(id=to, label=to, type=ControlType.RELATION if isinstance(value, list | tuple) else ControlType.TEXT)
